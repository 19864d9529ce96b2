import DatasiteProtocol
import Testing

@Suite("A request's states")
struct RequestStateTests {
    @Test("There is no way back from a charge once rows may have been read")
    func statesMoveForward() {
        #expect(RequestState.pending.successors == [.reserved, .denied, .lapsed, .cancelled])
        #expect(RequestState.reserved.successors == [.released, .cancelled])
        for state in [RequestState.released, .denied, .lapsed, .cancelled] { #expect(state.successors.isEmpty) }
    }
}
