/// Models that are ready to be trained.
public enum Models {
    /// What brings values to mean 0 and variance 1.
    public enum Normalization: Sendable, Equatable {
        /// In groups of channels, each row by itself; so many groups, or one a channel where there are fewer channels.
        case group(Int)
        /// Over the rows of a batch: for plain training only.
        case batch
    }

    /// What follows each of a model's linear steps.
    public enum Activation: String, Sendable, CaseIterable {
        /// Bounded, which noisy training likes (Papernot et al. 2021).
        case tanh
        /// max(0, x).
        case relu
    }

    /// One linear layer: the outputs are log odds.
    ///
    /// - Throws: A shape that does not fit.
    public static func logisticRegression(inputShape: [Int], classes: Int) throws(ModelError) -> Model {
        try multilayerPerceptron(inputShape: inputShape, hidden: [], classes: classes)
    }

    /// Linear layers with ReLU between them.
    ///
    /// - Parameters:
    ///   - inputShape: Of one row; flattened where it has several extents.
    ///   - hidden: Outputs of each layer but the last.
    ///   - classes: Outputs of the last.
    /// - Throws: A shape that does not fit.
    public static func multilayerPerceptron(
        inputShape: [Int] = [784], hidden: [Int] = [128], classes: Int = 10
    ) throws(ModelError) -> Model {
        try Model(inputShape: inputShape) {
            if inputShape.count != 1 { Flatten() }
            for outputs in hidden {
                Linear(outputs)
                ReLU()
            }
            Linear(classes)
        }
    }

    /// The convolutional network for MNIST of Papernot et al. 2021 ("Tempered sigmoid activations", table 1), as Tramèr and Boneh 2021
    /// use it.
    ///
    /// - Throws: A shape that does not fit.
    public static func mnistConvolutions(
        inputShape: [Int] = [1, 28, 28], activation: Activation = .tanh, classes: Int = 10
    ) throws(ModelError) -> Model {
        try Model(inputShape: inputShape) {
            Convolution(16, kernel: 8, stride: 2, padding: 3, name: "conv1")
            layer(activation)
            MaxPool(2, stride: 1)
            Convolution(32, kernel: 4, stride: 2, name: "conv2")
            layer(activation)
            MaxPool(2, stride: 1)
            Flatten()
            Linear(32, name: "fc1")
            layer(activation)
            Linear(classes, name: "fc2")
        }
    }

    /// ResNet-18 (He et al. 2016) with the names of `torchvision.models.resnet18`, so that its weights load; with groups, those of
    /// `resnet18(norm_layer=lambda channels: GroupNorm(32, channels))`.
    ///
    /// - Throws: A shape that does not fit.
    public static func resNet18(
        inputShape: [Int] = [3, 224, 224], classes: Int = 1000, normalization: Normalization = .group(32)
    ) throws(ModelError) -> Model {
        try Model(inputShape: inputShape) {
            Convolution(64, kernel: 7, stride: 2, padding: 3, hasBias: false, name: "conv1")
            layer(normalization, 64, "bn1")
            ReLU()
            MaxPool(3, stride: 2, padding: 1)
            for (index, channels) in [64, 128, 256, 512].enumerated() {
                for block in 0..<2 {
                    basicBlock(
                        channels, stride: index > 0 && block == 0 ? 2 : 1, isWider: index > 0 && block == 0,
                        normalization, name: "layer\(index + 1).\(block)")
                    ReLU()
                }
            }
            GlobalAveragePool()
            Linear(classes, name: "fc")
        }
    }

    /// A ResNet of three blocks for small images: 16, 32 and 64 channels.
    ///
    /// - Throws: A shape that does not fit.
    public static func smallResNet(
        inputShape: [Int] = [1, 28, 28], classes: Int = 10, normalization: Normalization = .group(8)
    ) throws(ModelError) -> Model {
        try Model(inputShape: inputShape) {
            Convolution(16, kernel: 3, padding: 1, hasBias: false, name: "conv1")
            layer(normalization, 16, "bn1")
            ReLU()
            for (index, channels) in [16, 32, 64].enumerated() {
                basicBlock(
                    channels, stride: index > 0 ? 2 : 1, isWider: index > 0, normalization, name: "layer\(index + 1).0")
                ReLU()
            }
            GlobalAveragePool()
            Linear(classes, name: "fc")
        }
    }

    private static func basicBlock(
        _ channels: Int, stride: Int, isWider: Bool, _ normalization: Normalization, name: String
    ) -> Residual {
        Residual(name: name) {
            Convolution(channels, kernel: 3, stride: stride, padding: 1, hasBias: false, name: "\(name).conv1")
            layer(normalization, channels, "\(name).bn1")
            ReLU()
            Convolution(channels, kernel: 3, padding: 1, hasBias: false, name: "\(name).conv2")
            layer(normalization, channels, "\(name).bn2")
        } shortcut: {
            if isWider {
                Convolution(channels, kernel: 1, stride: stride, hasBias: false, name: "\(name).downsample.0")
                layer(normalization, channels, "\(name).downsample.1")
            }
        }
    }

    private static func layer(_ normalization: Normalization, _ channels: Int, _ name: String) -> any Layer {
        switch normalization {
        case .group(let groups): GroupNormalization(groups: min(groups, channels), name: name)
        case .batch: BatchNormalization(name: name)
        }
    }

    private static func layer(_ activation: Activation) -> any Layer {
        switch activation {
        case .tanh: Tanh()
        case .relu: ReLU()
        }
    }
}
