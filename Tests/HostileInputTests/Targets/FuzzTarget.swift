/// A reader of what comes from outside, fed with any bytes at all: by libFuzzer (`make fuzz`), and by an ordinary test
/// with the corpus that libFuzzer and people made.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case sql, csv, ndjson, parquet, file, draft, request, manifest, idx, npy, npz, png, model, weights, message, reply,
        frame, report, points, intersection, log, tiles, market, content, prediction, computation

    /// The target that this process fuzzes; set once, before the first input.
    nonisolated(unsafe) public static var chosen = FuzzTarget.sql

    /// Reads the input. What it says about it (accepted, refused with which error) is up to the reader; what it breaks
    /// is returned. Reading out of bounds, traps and endless loops are the sanitizer's and libFuzzer's to notice.
    public func violations(_ input: [UInt8]) -> [String] {
        switch self {
        case .sql: SQLTarget.violations(input)
        case .csv: RowsTarget.violations(input, isCSV: true)
        case .ndjson: RowsTarget.violations(input, isCSV: false)
        case .parquet: ParquetTarget.violations(input)
        case .file: FileTarget.violations(input)
        case .draft: DraftTarget.violations(input)
        case .request: RequestTarget.violations(input)
        case .manifest: ManifestTarget.violations(input)
        case .idx: ArrayTarget.idx(input)
        case .npy: ArrayTarget.npy(input)
        case .npz: ArrayTarget.npz(input)
        case .png: ArrayTarget.png(input)
        case .model: ModelTarget.violations(input)
        case .weights: WeightsTarget.violations(input)
        case .message: MessageTarget.violations(input)
        case .reply: ReplyTarget.violations(input)
        case .frame: FrameTarget.violations(input)
        case .report: ReportTarget.violations(input)
        case .points: PointsTarget.violations(input)
        case .intersection: IntersectionTarget.violations(input)
        case .log: LogTargets.texts(input) + LogEntryTarget.violations(input)
        case .tiles: LogTargets.trees(input)
        case .market: MarketTarget.violations(input)
        case .content: ContentTarget.violations(input)
        case .prediction: PredictionTarget.violations(input)
        case .computation: ComputationTarget.violations(input)
        }
    }
}
