extension Table {
    /// A table of rows given as values, in memory: for mock data, tests and small tables.
    public convenience init(rows: [[Value]], plan: IngestPlan) throws {
        let worker = IngestWorker(plan)
        try worker.append(rows)
        try self.init(assembling: [worker], plan: plan)
    }

    /// Assembles what workers read into a table in memory.
    public convenience init(assembling workers: [IngestWorker], plan: IngestPlan) throws {
        var assembler = TableAssembler(workers, plan: plan)
        var parts: [TablePart: [UInt8]] = [:]
        let sink: TableAssembler.Sink = { part, bytes in parts[part, default: []].append(contentsOf: bytes) }
        for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
            try assembler.write(partition, to: sink)
        }
        let description = try assembler.finish(to: sink)
        // Values are all there are: no file has arrays of them.
        let schema = Schema(columns: plan.schema.columns)
        try self.init(schema: schema, description: description) { ColumnBytes(parts[$0] ?? []) }
    }
}
