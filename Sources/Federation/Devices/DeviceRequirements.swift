/// How a device is now, as it finds itself.
public struct DeviceConditions: Sendable, Hashable, Codable {
    /// How full the battery is, from 0 to 1.
    public var battery: Double
    /// Whether it is being charged.
    public var isCharging: Bool
    /// Whether nobody pays for what it sends by amount.
    public var isUnmetered: Bool
    /// Whether nobody uses it.
    public var isIdle: Bool
    /// How fast it receives, in bytes a second.
    public var download: Double
    /// How fast it sends, in bytes a second.
    public var upload: Double

    /// Conditions as the device found them.
    public init(
        battery: Double, isCharging: Bool, isUnmetered: Bool, isIdle: Bool, download: Double, upload: Double
    ) {
        (self.battery, self.isCharging, self.isUnmetered, self.isIdle) = (battery, isCharging, isUnmetered, isIdle)
        (self.download, self.upload) = (download, upload)
    }
}

/// How a device must be to take part, so that nobody notices that it does (Bonawitz et al. 2019, "Towards federated learning at scale", section 3).
///
/// **Privacy.** How full a battery is and how fast a network is tell devices apart. A device finds out by itself whether it may take part, and tells what was asked
/// for, not what it has (``told(of:)``): that it checks in says the same. A device that lies is not found out, whatever it is asked.
public struct DeviceRequirements: Sendable, Hashable, Codable {
    /// How full its battery is at least, from 0 to 1, unless it is being charged.
    public var leastBattery: Double
    /// Whether nobody may pay for what it sends by amount.
    public var needsUnmetered: Bool
    /// Whether nobody may be using it.
    public var needsIdle: Bool
    /// How fast it receives at least, in bytes a second.
    public var leastDownload: Double
    /// How fast it sends at least, in bytes a second.
    public var leastUpload: Double

    /// Nothing is asked for where nothing is said.
    public init(
        leastBattery: Double = 0, needsUnmetered: Bool = false, needsIdle: Bool = false, leastDownload: Double = 0,
        leastUpload: Double = 0
    ) {
        (self.leastBattery, self.needsUnmetered, self.needsIdle) = (leastBattery, needsUnmetered, needsIdle)
        (self.leastDownload, self.leastUpload) = (leastDownload, leastUpload)
    }

    /// - Throws: `plan`.
    public func check() throws(FederationError) {
        guard (0...1).contains(leastBattery) else { throw .plan("the least battery level", expected: "from 0 to 1") }
        for (name, speed) in [("download", leastDownload), ("upload", leastUpload)] {
            guard (0...1e12).contains(speed) else {
                throw .plan("the least \(name) speed", expected: "from 0 to 1e12 bytes a second")
            }
        }
    }

    /// The first requirement that a device does not meet; nil: it meets all.
    public func unmet(by conditions: DeviceConditions) -> DeviceRefusal? {
        // Said so that what is no number meets nothing.
        guard conditions.isCharging || conditions.battery >= leastBattery else { return .battery }
        guard conditions.isUnmetered || !needsUnmetered else { return .metered }
        guard conditions.isIdle || !needsIdle else { return .busy }
        guard conditions.download >= leastDownload else { return .download }
        guard conditions.upload >= leastUpload else { return .upload }
        return nil
    }

    /// What a device that meets all requirements tells: them, and nothing that is its own.
    ///
    /// - Returns: nil where it does not meet them: it does not check in.
    public func told(of conditions: DeviceConditions) -> DeviceConditions? {
        guard unmet(by: conditions) == nil else { return nil }
        return DeviceConditions(
            battery: leastBattery, isCharging: false, isUnmetered: needsUnmetered, isIdle: needsIdle,
            download: leastDownload, upload: leastUpload)
    }
}
