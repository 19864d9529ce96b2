import Learning

/// A model's text: read to a model whose own text says the same, or refused in words.
enum ModelTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        let model: Model
        do { model = try Architecture.model(json: input) } catch { return useless(error) }
        let text = Architecture.json(model)
        do {
            return Architecture.json(try Architecture.model(json: text)) == text ? [] : ["a model's text changes"]
        } catch {
            return ["a model's own text is refused: \(error)"]
        }
    }

    static func useless(_ error: ModelError) -> [String] {
        error.description.isEmpty || error.description.utf8.count > 10_000 ? ["an error of no use"] : []
    }
}

/// A file of weights: read to what, written again, is read as the same, or refused in words.
enum WeightsTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        let parameters: Parameters
        do { parameters = try SafeTensors.read(input) } catch { return ModelTarget.useless(error) }
        guard parameters.count <= 4 * input.count else { return ["more values than bytes of them"] }
        do {
            let again = try SafeTensors.read(SafeTensors.write(parameters))
            for name in parameters.names {
                let values = again[name]?.values.map(\.bitPattern)
                if values != parameters[name]?.values.map(\.bitPattern) { return ["weights change"] }
            }
            return again.names.count == parameters.names.count ? [] : ["weights are lost"]
        } catch {
            return ["what was written is refused: \(error)"]
        }
    }
}
