import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// CPU seconds of this process, all threads.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func wallSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// The largest resident memory of this process so far, in MB.
func peakMegabytes() -> Double {
    var usage = rusage()
    #if os(Linux)
        getrusage(0, &usage)
        return Double(usage.ru_maxrss) / 1024
    #else
        getrusage(RUSAGE_SELF, &usage)
        return Double(usage.ru_maxrss) / 1_048_576
    #endif
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Prints one JSON object on a line.
func report(_ name: String, _ figures: [(String, Double)]) {
    let fields = figures.map { "\"\($0.0)\": \($0.1.isFinite ? String(format: "%.6g", $0.1) : "null")" }
    printLine("{\"bench\": \"\(name)\", \(fields.joined(separator: ", "))}")
}

/// Says why a benchmark was not run.
func reportSkipped(_ name: String, _ reason: String) {
    printLine("{\"bench\": \"\(name)\", \"skipped\": \"\(reason)\"}")
}

private func printLine(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
