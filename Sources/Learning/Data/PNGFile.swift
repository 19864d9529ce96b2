/// A PNG image (W3C Portable Network Graphics, third edition): grey, grey with alpha, RGB, RGBA and palettes, not interlaced.
///
/// Samples of 1, 2 and 4 bits come as bytes from 0 to 255; those of 16 bits stay so. Transparency of single colours (tRNS) and
/// corrections of colour are left aside.
public enum PNGFile {
    private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    private static let largestExtent = 1 << 16

    /// What a file declares and holds, before it is inflated.
    private struct Parts {
        var width = 0
        var height = 0
        var depth = 0
        var colour = 0
        var palette: [UInt8] = []
        var data: [UInt8] = []

        /// Samples of a pixel in the file.
        var samples: Int { [0: 1, 2: 3, 3: 1, 4: 2, 6: 4][colour] ?? 0 }
        /// Bytes of a row, without its filter.
        var rowBytes: Int { (width * samples * depth + 7) / 8 }
        /// By which filters look back.
        var pixelBytes: Int { max(1, samples * depth / 8) }
    }

    /// - Parameter bytes: The whole file.
    /// - Returns: [height, width, channels], with 1, 2, 3 or 4 channels; a palette's colours are three.
    /// - Throws: What is wrong in it.
    public static func read(_ bytes: [UInt8], _ inflation: Inflation) throws(DataError) -> DataArray {
        let parts = try parts(bytes, inflation)
        let outputs = parts.colour == 3 ? 3 : parts.samples
        guard parts.width * parts.height * outputs * 2 <= inflation.largest else {
            throw DataError(
                "\(parts.width)x\(parts.height) pixels", expected: "an image of at most \(inflation.largest) bytes")
        }
        var rows: [UInt8]
        do throws(DataError) {
            rows = try inflation.inflated(parts.data[...], .zlib, count: parts.height * (1 + parts.rowBytes))
        } catch { throw error.within("pixels") }
        try unfilter(&rows, parts)
        let shape = [parts.height, parts.width, outputs]
        if parts.depth == 16 {
            return try DataArray(shape: shape, type: .unsigned16, bytes: joined(rows, parts).reversedElements(of: 2))
        }
        return try DataArray(shape: shape, type: .unsigned8, bytes: samples(joined(rows, parts), parts))
    }

    private static func parts(_ bytes: [UInt8], _ inflation: Inflation) throws(DataError) -> Parts {
        var cursor = ByteCursor(bytes[...])
        guard try cursor.take(8).elementsEqual(signature) else {
            throw DataError("header", "other bytes", expected: "a PNG image")
        }
        var parts = Parts()
        while true {
            let length = try cursor.bigEndian(4)
            let typed = try cursor.take(length + 4)
            let (kind, content) = (String(decoding: typed.prefix(4), as: UTF8.self), typed.dropFirst(4))
            guard try cursor.bigEndian(4) == inflation.checksum(typed) else {
                throw DataError("a checksum that differs", expected: "an undamaged file")
            }
            guard (kind == "IHDR") == (parts.depth == 0) else {
                throw DataError("header", "none at the start, or two", expected: "one, at the start")
            }
            switch kind {
            case "IHDR": try readHeader(content, &parts)
            case "PLTE":
                guard content.count % 3 == 0, content.count <= 768, parts.palette.isEmpty else {
                    throw DataError(
                        "palette", "\(content.count) bytes",
                        expected: "one palette of three bytes for each of at most 256 colours")
                }
                parts.palette = Array(content)
            case "IDAT": parts.data += content
            case "IEND":
                guard parts.colour != 3 || !parts.palette.isEmpty else {
                    throw DataError("palette", "none", expected: "one, before the pixels")
                }
                return parts
            default:
                // Bit 5 of the first letter: nobody needs to know this part.
                guard let first = typed.first, first & 0x20 != 0 else {
                    throw DataError(
                        "a part that is not known and not optional", expected: "a PNG image of the standard")
                }
            }
        }
    }

    private static func readHeader(_ content: ArraySlice<UInt8>, _ parts: inout Parts) throws(DataError) {
        var cursor = ByteCursor(content)
        (parts.width, parts.height) = (try cursor.bigEndian(4), try cursor.bigEndian(4))
        (parts.depth, parts.colour) = (try cursor.bigEndian(1), try cursor.bigEndian(1))
        let rest = (try cursor.bigEndian(1), try cursor.bigEndian(1), try cursor.bigEndian(1))
        guard (1...largestExtent).contains(parts.width), (1...largestExtent).contains(parts.height) else {
            throw DataError(
                "header", "\(parts.width)x\(parts.height) pixels", expected: "from 1 to \(largestExtent) each way")
        }
        let depths =
            [0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]][parts.colour] ?? []
        guard depths.contains(parts.depth), rest.0 == 0, rest.1 == 0, cursor.left == 0 else {
            throw DataError(
                "header", "a colour type, depth or method that no PNG has", expected: "a PNG image of the standard")
        }
        guard rest.2 == 0 else {
            throw DataError("header", "an interlaced image", expected: "one that is not: save it without interlacing")
        }
    }

    /// Filters of rows (section 9), undone in place.
    private static func unfilter(_ rows: inout [UInt8], _ parts: Parts) throws(DataError) {
        let (length, back) = (parts.rowBytes, parts.pixelBytes)
        for row in 0..<parts.height {
            let start = row * (length + 1) + 1
            let filter = rows[start - 1]
            guard filter <= 4 else { throw DataError("pixels", "filter \(filter)", expected: "from 0 to 4") }
            guard filter > 0 else { continue }
            for index in 0..<length {
                let left = index >= back ? Int(rows[start + index - back]) : 0
                let above = row > 0 ? Int(rows[start + index - length - 1]) : 0
                let corner = row > 0 && index >= back ? Int(rows[start + index - length - 1 - back]) : 0
                let predicted =
                    switch filter {
                    case 1: left
                    case 2: above
                    case 3: (left + above) / 2
                    default: paeth(left, above, corner)
                    }
                rows[start + index] &+= UInt8(truncatingIfNeeded: predicted)
            }
        }
    }

    private static func paeth(_ left: Int, _ above: Int, _ corner: Int) -> Int {
        let estimate = left + above - corner
        let (l, a, c) = (abs(estimate - left), abs(estimate - above), abs(estimate - corner))
        return l <= a && l <= c ? left : a <= c ? above : corner
    }

    /// The rows without their filters' bytes.
    private static func joined(_ rows: [UInt8], _ parts: Parts) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(parts.height * parts.rowBytes)
        for row in 0..<parts.height {
            let start = row * (parts.rowBytes + 1) + 1
            result += rows[start..<start + parts.rowBytes]
        }
        return result
    }

    private static func samples(_ packed: [UInt8], _ parts: Parts) throws(DataError) -> [UInt8] {
        if parts.depth == 8, parts.colour != 3 { return packed }
        let (mask, colours) = (UInt8((1 << parts.depth) - 1), parts.palette.count / 3)
        var result: [UInt8] = []
        for row in 0..<parts.height {
            for column in 0..<parts.width {
                let bit = column * parts.depth
                let byte = packed[row * parts.rowBytes + bit / 8]
                let value = Int(byte >> UInt8(8 - parts.depth - bit % 8) & mask)
                guard parts.colour == 3 else {
                    result.append(UInt8(value * 255 / Int(mask)))
                    continue
                }
                guard value < colours else {
                    throw DataError("pixels", "a colour that the palette has not", expected: "colours below \(colours)")
                }
                result += parts.palette[value * 3..<value * 3 + 3]
            }
        }
        return result
    }
}
