import CLibFuzzer
import HostileInput

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// parley-fuzz TARGET [libFuzzer's options and corpus folders]: the first argument is taken out, the rest is libFuzzer's.
guard CommandLine.arguments.count > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
    print(
        "usage: parley-fuzz \(FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")) [libFuzzer options] [corpus]")
    exit(64)
}
FuzzTarget.chosen = target

var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
arguments?[0] = CommandLine.unsafeArgv[0]
var count = CommandLine.argc - 1
let status = LLVMFuzzerRunDriver(&count, &arguments) { bytes, size in
    let input = Array(UnsafeBufferPointer(start: bytes, count: size))
    for violation in FuzzTarget.chosen.violations(input) {
        print("VIOLATION: \(violation)")
        fflush(nil)
        abort()
    }
    return 0
}
exit(status)
