import DatasiteProtocol
import NIOCore
import NIOHTTP1

/// Holds one connection to the limits: it stands between the HTTP codec and the application, and ends the exchange
/// itself, with a problem document where the peer can still be told, when a deadline passes or a body is too large.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What ends an exchange from this side; the application's body stream throws it, so that what was read so far is
    /// never taken for a whole request.
    enum Breach: Error, Hashable {
        case headDeadline, idleDeadline, bodyDeadline, responseDeadline, slowReader, bodyTooLarge, framingTooLarge
        case invalidHost
        case tooManyConnections, evicted, displaced
        case malformed(headersTooLarge: Bool)
    }

    private enum State {
        case open
        /// The last word is written; what still comes is thrown away until the peer or the deadline closes.
        case lingering(closing: EventLoopPromise<Void>?)
    }

    private let limits: ServerLimits
    private let metrics: Metrics
    private let verdict: Admission.Verdict
    private let noteWaiting: (Bool) -> Void
    private var context: ChannelHandlerContext?
    private var state = State.open
    private var isReadingBody = false
    private var bodyBytes = 0
    /// Of the request that is being read.
    private var largestBody: Int
    /// Since the last request ended: all that came, and what of it was body.
    private var wireBytes = 0
    private var unanswered = 0
    /// The peer, or its HTTP, wants the connection ended after the response: nothing is read after that request.
    private var isLast = false
    private var isResponding = false
    /// An event stream is being written: each part has a deadline of its own, the whole has none.
    private var isStreaming = false
    private var untaken = 0
    private var readDeadline: (at: NIODeadline, breach: Breach)?
    private var writeDeadline: NIODeadline?
    /// Of an answer that must be taken at a pace: bytes that the peer has not taken, those that it took since the last look, and when the next is.
    private var (waiting, taken) = (0, 0)
    private var paceDeadline: NIODeadline?
    private var alarm: (at: NIODeadline, task: Scheduled<Void>)?

    /// - Parameter noteWaiting: Told when a whole request has come (true), and when what came is answered (false).
    init(
        limits: ServerLimits, metrics: Metrics, verdict: Admission.Verdict, noteWaiting: @escaping (Bool) -> Void
    ) {
        self.limits = limits
        largestBody = limits.bodyBytes
        self.metrics = metrics
        self.verdict = verdict
        self.noteWaiting = noteWaiting
    }

    // MARK: Connection

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        readDeadline = (.now() + limits.headDeadline, .headDeadline)
        setAlarm(context)
        context.fireChannelActive()
        switch verdict {
        case .admitted: break
        case .refused: refuse(context, .tooManyConnections)
        case .dropped:
            metrics.countBreach(.tooManyConnections)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        silence(context)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        silence(context)
        self.context = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .lingering = state, let event = event as? ChannelEvent, event == .inputClosed {
            context.close(promise: nil)
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError {
            if unanswered > 0, !isReadingBody {
                // What follows whole requests takes nothing from their answers; it is not read.
                isLast = true
                return
            }
            refuse(context, .malformed(headersTooLarge: error == .headerOverflow))
        }
        context.fireErrorCaught(error)
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .open = state, isReadingBody || !isLast else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard head.hasValidHost else { return refuse(context, .invalidHost) }
            begin(head, context)
            context.fireChannelRead(data)
            if head.declaredBodyBytes > largestBody { refuse(context, .bodyTooLarge) }
        case .body(let buffer):
            bodyBytes += buffer.readableBytes
            if bodyBytes > largestBody {
                refuse(context, .bodyTooLarge)
            } else {
                context.fireChannelRead(data)
            }
        case .end:
            isReadingBody = false
            (wireBytes, bodyBytes) = (0, 0)
            if unanswered > 0 { noteWaiting(true) }
            readDeadline = unanswered == 0 ? (.now() + limits.idleDeadline, .idleDeadline) : nil
            context.fireChannelRead(data)
        }
        setAlarm(context)
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        unanswered += 1
        isReadingBody = true
        isLast = head.isLast
        largestBody = limits.largestBody(at: head.uri)
        readDeadline = (.now() + limits.bodyDeadline, .bodyDeadline)
        // Before an earlier response it would be taken for its answer.
        guard head.expectsContinue, unanswered == 1, head.declaredBodyBytes <= largestBody else { return }
        let response = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(response)), promise: nil)
    }

    /// Told of all bytes before they are taken apart.
    func count(wireBytes count: Int) { wireBytes += count }

    /// Told when they were: what came of it out of the codec is known.
    func checkWire() {
        guard let context else { return }
        switch state {
        case .open:
            let bound = limits.targetBytes + limits.headerBytes + limits.framingBytes
            if wireBytes - bodyBytes > bound { refuse(context, .framingTooLarge) }
        case .lingering(let closing):
            if wireBytes > limits.framingBytes { context.close(promise: closing) }
        }
    }

    // MARK: Responses

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .open = state else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            isResponding = true
            isStreaming = head.headers.first(name: "content-type") == EventStream.type
            untaken = 0
            writeDeadline = .now() + limits.responseDeadline
            if limits.leastTaken > 0, !isStreaming { (taken, paceDeadline) = (0, .now() + limits.paceInterval) }
            setAlarm(context)
            if endsConnection { head.headers.replaceOrAdd(name: "connection", value: "close") }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let bytes):
            let taking = paceDeadline == nil ? promise : measureTaking(bytes.readableBytes, context, promise)
            context.write(data, promise: isStreaming ? awaitTaking(context, promise) : taking)
        case .end:
            if isStreaming, writeDeadline == nil { writeDeadline = .now() + limits.responseDeadline }
            isStreaming = false
            let sent = promise ?? context.eventLoop.makePromise()
            if endsConnection {
                linger(context, after: sent, .idleDeadline)
            } else {
                sent.futureResult.assumeIsolated().whenSuccess { self.responseTaken(context) }
            }
            isResponding = false
            unanswered -= 1
            if unanswered == 0 { noteWaiting(false) }
            context.write(data, promise: sent)
        }
    }

    /// Whether the response that is being written is the connection's last.
    private var endsConnection: Bool { isLast && unanswered == 1 }

    /// Until a part of a stream is taken its deadline runs; then the next part's.
    private func awaitTaking(
        _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
    ) -> EventLoopPromise<Void> {
        let taken = promise ?? context.eventLoop.makePromise()
        untaken += 1
        if writeDeadline == nil { writeDeadline = .now() + limits.responseDeadline }
        taken.futureResult.assumeIsolated().whenSuccess {
            self.untaken -= 1
            if self.isStreaming, self.untaken == 0 { self.writeDeadline = nil }
        }
        setAlarm(context)
        return taken
    }

    private func measureTaking(
        _ count: Int, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
    ) -> EventLoopPromise<Void> {
        let taking = promise ?? context.eventLoop.makePromise()
        waiting += count
        taking.futureResult.assumeIsolated().whenSuccess {
            self.waiting -= count
            self.taken += count
        }
        return taking
    }

    /// Whether the peer keeps the pace; a new interval begins.
    private func keepsPace(at now: NIODeadline) -> Bool {
        defer { (taken, paceDeadline) = (0, now + limits.paceInterval) }
        return waiting == 0 || taken >= limits.leastTaken
    }

    private func responseTaken(_ context: ChannelHandlerContext) {
        if !isResponding { (writeDeadline, paceDeadline) = (nil, nil) }
        if unanswered == 0, !isReadingBody { readDeadline = (.now() + limits.idleDeadline, .idleDeadline) }
        setAlarm(context)
    }

    /// The application closes as soon as its stream fails; the peer would then meet a reset instead of the refusal.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard case .lingering(let closing) = state, mode != .input else {
            context.close(mode: mode, promise: promise)
            return
        }
        if let closing {
            closing.futureResult.cascade(to: promise)
        } else {
            state = .lingering(closing: promise)
        }
    }

    // MARK: Refusals

    /// Sent down the pipeline when the body that is being read has lost its place to another.
    struct Displacement: Sendable {}

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is Displacement else {
            context.triggerUserOutboundEvent(event, promise: promise)
            return
        }
        if isReadingBody { refuse(context, .displaced) }
        promise?.succeed()
    }

    private func refuse(_ context: ChannelHandlerContext, _ breach: Breach) {
        guard case .open = state else { return }
        metrics.countBreach(breach)
        // Only the request that is being read can be answered now; its predecessors' answers may be under way.
        let isOneAnswerOwed = unanswered == (isReadingBody ? 1 : 0)
        guard !isResponding, isOneAnswerOwed, let problem = breach.problem(largestBody) else {
            context.close(promise: nil)
            return
        }
        // What reached the responder is counted there.
        if unanswered == 0 { metrics.countRefusal(status: problem.status) }
        let body = problem.encoded
        var headers = HTTPHeaders([
            ("content-type", "application/problem+json"), ("content-length", String(body.count)),
            ("connection", "close"), ("cache-control", "no-store"),
        ])
        if problem.status == 503 { headers.add(name: "retry-after", value: "1") }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: problem.status), headers: headers)
        let sent = context.eventLoop.makePromise(of: Void.self)
        linger(context, after: sent, breach)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: sent)
        context.fireErrorCaught(breach)
    }

    /// From the last word on: nothing more is taken in, and the peer may close first, so that it can read that word.
    private func linger(_ context: ChannelHandlerContext, after sent: EventLoopPromise<Void>, _ breach: Breach) {
        state = .lingering(closing: nil)
        wireBytes = 0
        readDeadline = (.now() + limits.lingerDeadline, breach)
        (writeDeadline, paceDeadline) = (nil, nil)
        setAlarm(context)
        sent.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: .output, promise: nil) }
    }

    // MARK: Deadlines

    private var nextDeadline: NIODeadline? {
        [readDeadline?.at, writeDeadline, paceDeadline].compactMap(\.self).min()
    }

    /// One timer a connection, moved only when a deadline is earlier than it: a busy connection sets none.
    private func setAlarm(_ context: ChannelHandlerContext) {
        guard let deadline = nextDeadline, context.channel.isActive else { return }
        if let alarm, alarm.at <= deadline { return }
        alarm?.task.cancel()
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.rang(context) }
        alarm = (deadline, task)
    }

    private func rang(_ context: ChannelHandlerContext) {
        alarm = nil
        let now = NIODeadline.now()
        if case .lingering(let closing) = state {
            if let readDeadline, readDeadline.at <= now {
                context.close(promise: closing)
                return
            }
        } else if let writeDeadline, writeDeadline <= now {
            refuse(context, .responseDeadline)
            return
        } else if let paceDeadline, paceDeadline <= now, !keepsPace(at: now) {
            refuse(context, .slowReader)
            return
        } else if let readDeadline, readDeadline.at <= now {
            refuse(context, readDeadline.breach)
            return
        }
        setAlarm(context)
    }

    private func silence(_ context: ChannelHandlerContext) {
        alarm?.task.cancel()
        alarm = nil
        readDeadline = nil
        (writeDeadline, paceDeadline) = (nil, nil)
        if case .lingering(let closing?) = state {
            state = .lingering(closing: nil)
            closing.succeed(())
        }
    }
}

extension ConnectionGuard.Breach {
    /// What the peer is told; nil where nothing is left to tell it (an idle or stalled connection is closed).
    ///
    /// - Parameter largest: The most bytes of a body that are read.
    func problem(_ largest: Int) -> Problem? {
        switch self {
        case .headDeadline: .requestTimeout("the request's head did not arrive in time")
        case .bodyDeadline: .requestTimeout("the request's body did not arrive in time")
        case .bodyTooLarge: .bodyTooLarge(largest)
        case .framingTooLarge: .framingTooLarge
        case .invalidHost: .invalidHost
        case .tooManyConnections: .tooManyConnections
        case .displaced: .tooManyFrames
        case .malformed(let headersTooLarge): headersTooLarge ? .headersTooLarge : .malformedRequest
        case .idleDeadline, .responseDeadline, .slowReader, .evicted: nil
        }
    }

    /// The name under which metrics count it.
    var label: String {
        switch self {
        case .headDeadline: "head_deadline"
        case .idleDeadline: "idle_deadline"
        case .bodyDeadline: "body_deadline"
        case .responseDeadline: "response_deadline"
        case .slowReader: "slow_reader"
        case .bodyTooLarge: "body_too_large"
        case .framingTooLarge: "framing_too_large"
        case .invalidHost: "invalid_host"
        case .evicted: "evicted"
        case .displaced: "displaced"
        case .tooManyConnections: "too_many_connections"
        case .malformed: "malformed"
        }
    }
}
