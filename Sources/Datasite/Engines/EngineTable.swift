extension EngineTable {
    /// Every kind of work that a datasite does: a folder beside this file, and a line here.
    static let standard = EngineTable([
        QuestionWork.self,
        SynthesisWork.self,
        TrainingWork.self,
        FederatedWork.self,
        FederatedAnswerWork.self,
        IntersectionWork.self,
        FeedbackWork.self,
        FinalWork.self,
        OpenedRowsWork.self,
        PredictionWork.self,
        ComputationWork.self,
    ])
}
