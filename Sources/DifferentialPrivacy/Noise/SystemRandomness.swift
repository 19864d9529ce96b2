// Noise is private only if it comes from the system's randomness, so whoever imports this module needs `SecureRandom`.
// A public type alias is not enough: where a package enables MemberImportVisibility, the alias has no members for those
// who do not import `Secrets` too, which is no product (docs/decisions/007-the-library-alone.md). Nothing else of
// `Secrets` gets out this way, and so no `SeededGenerator`.
@_exported public import struct Secrets.SecureRandom
