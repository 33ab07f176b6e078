import Testing

@Suite("Reading where, select, sort and locale")
struct TransformReaderTests {
    @Test("everything that is wrong has the place where it is written, whatever the names in it are")
    func places() {
        let yaml = """
            fields:
              a:
                ttl: 1m
                source: { file: { path: x } }
                where:
                  locale: { exists: true }
                  select: { in: [] }
                  sort: { trim: true }
                select: { id: id, where: Nombre }
                sort:
                  - where
                  - "-"
                  - sort
                  - -where
                locale: spanish
            """
        let starts = ConfigurationTests.problems(yaml).map { String($0.prefix { $0 != "–" }) }
        #expect(
            starts == [
                "freshet.yaml:7:15: where 'select' has an empty list ",
                "freshet.yaml:8:13: where 'sort' has no condition ",
                "freshet.yaml:12:9: '-' names nothing to sort by ",
                "freshet.yaml:13:9: sort names 'sort', which select does not give ",
                "freshet.yaml:14:9: sort names 'where' twice ",
                "freshet.yaml:15:13: 'spanish' is no locale; write a language such as es or es-MX ",
            ]
        )
    }

    @Test("an empty select is one problem, not one more for every name to sort by")
    func emptySelect() {
        let problems = ConfigurationTests.problems(
            "fields: { a: { ttl: 1m, source: { file: { path: x } }, select: {}, sort: [b, c] } }"
        )
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("freshet.yaml:1:64: select names nothing") == true)
    }
}
