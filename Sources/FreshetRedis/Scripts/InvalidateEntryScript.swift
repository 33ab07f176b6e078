extension EntryScripts {
    /// Makes what is stored stale or gone, and every load under way worthless.
    ///
    /// Arguments: `expire` or `remove`, the new generation.
    static let invalidateEntry = """
        invalidate(ARGV[1], ARGV[2], foreignChange())
        save()
        publish(ARGV[1])
        return 1
        """
}
