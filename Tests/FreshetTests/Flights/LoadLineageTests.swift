import BoundedCache
import Testing

@testable import Freshet

@Suite("Load lineage")
struct LoadLineageTests {
    @Test("loads are known by whose they are, the innermost of each")
    func owners() {
        let (one, two) = (LoadLineage.Owner(), LoadLineage.Owner())
        var lineage = LoadLineage()
        lineage[one] = LoadLineage.Loads(flight: 1, loneKeys: [ExactKey("k")])
        lineage[two].flight = 2
        #expect(lineage[one].flight == 1 && lineage[one].loneKeys == [ExactKey("k")])
        #expect(lineage[two].flight == 2 && lineage[two].loneKeys.isEmpty)
        lineage[one] = LoadLineage.Loads(flight: 3)
        #expect(lineage[one].flight == 3 && lineage[one].loneKeys.isEmpty)
        #expect(lineage[two].flight == 2)
    }

    @Test(
        """
        who waits for another's load waits for no place there once that one's have waited for others', if somebody has \
        waited for its own
        """
    )
    func waits() {
        let (one, two, third) = (LoadLineage.Owner(), LoadLineage.Owner(), LoadLineage.Owner())
        func load(of owner: LoadLineage.Owner) -> LoadLineage {
            var lineage = LoadLineage()
            lineage[owner].flight = 1
            return lineage
        }
        #expect(load(of: one).beginWait(for: one))
        #expect(!load(of: one).beginWait(for: two))
        #expect(!load(of: two).beginWait(for: third))
        #expect(!load(of: LoadLineage.Owner()).beginWait(for: one))
        #expect(load(of: third).beginWait(for: one))
        #expect(!LoadLineage().beginWait(for: one))
    }

    @Test("nobody is taken for one that has gone, whose place in memory is free")
    func gone() {
        var lineage = LoadLineage()
        for id: FlightID in 1...100 {
            let owner = LoadLineage.Owner()
            #expect(lineage[owner].flight == nil)
            lineage[owner].flight = id
        }
    }
}
