import Freshet

extension AirtableStandIn.Base {
    /// A base of 400 people in one table and of staff changes in another; the same at every start.
    ///
    /// Some people have no name, a blank one or `N/A`, and names have accents and ñ. The view `Agentes de venta` shows
    /// the sales agents. The other table has a name with a slash and a column named `id`.
    public static let people = AirtableStandIn.Base(id: "appPeople00000001", tables: [peopleTable(), changesTable()])

    private static func peopleTable() -> AirtableStandIn.Table {
        typealias View = AirtableStandIn.View
        let names = [
            "Nombre", "Email", "Teléfono", "Puesto", "Oficina", "Activo", "Salario", "Bono", "Ingreso", "Idiomas",
            "Foto", "Jefe", "Antigüedad", "Notas",
        ]
        let salesAgents: @Sendable (AirtableStandIn.Record) -> Bool = { $0.cells["Puesto"] == "Agente de ventas" }
        return AirtableStandIn.Table(
            id: "tblPeople00000001",
            name: "Personas",
            columns: columns(names, prefix: "fldPeople"),
            views: [
                View(id: "viwTodos000000001", name: "Todos"),
                View(
                    id: "viwAgentes0000001",
                    name: "Agentes de venta",
                    sort: [.init(column: "Ingreso")],
                    where: salesAgents
                ),
                View(id: "viwActivos0000001", name: "Activos", where: { $0.cells["Activo"] == true }),
                View(id: "viwNadie000000001", name: "Nadie", where: { _ in false }),
            ],
            records: (0..<400).map(person)
        )
    }

    private static func changesTable() -> AirtableStandIn.Table {
        AirtableStandIn.Table(
            id: "tblChanges0000001",
            name: "Altas/Bajas 2024",
            columns: columns(["id", "Persona", "Tipo"], prefix: "fldChange"),
            records: (0..<12).map { index in
                AirtableStandIn.Record(
                    id: "rec" + digits(index + 900, count: 14),
                    createdTime: "2024-06-01T09:00:00.000Z",
                    cells: ["id": .string("C-\(index)"), "Persona": .string(fullName(index)), "Tipo": "Alta"]
                )
            }
        )
    }

    private static func columns(_ names: [String], prefix: String) -> [AirtableStandIn.Column] {
        names.enumerated().map { index, name in
            AirtableStandIn.Column(id: prefix + digits(index + 1, count: 17 - prefix.count), name: name)
        }
    }

    private static func person(_ index: Int) -> AirtableStandIn.Record {
        var cells: [String: JSONValue] = [
            "Email": .string("persona\(index)@example.com"),
            "Teléfono": .string(
                "+34 600 \(digits(index * 37 % 1000, count: 3)) \(digits(index * 91 % 1000, count: 3))"
            ),
            "Puesto": .string(roles[index * 7 % roles.count]),
            "Oficina": .string(offices[index * 11 % offices.count]),
            "Activo": .bool(index % 5 != 0),
            "Salario": .integer(index % 40 == 0 ? 0 : Int64(18_000 + index * 173 % 30_000)),
            "Bono": index % 50 == 7 ? ["specialValue": "NaN"] : .number(Double(index % 20) / 40),
            "Ingreso": .string("20\(digits(10 + index % 15, count: 2))-\(digits(1 + index % 12, count: 2))-15"),
            "Idiomas": .array(Array(languages[..<(index % (languages.count + 1))])),
            "Antigüedad": index % 60 == 9 ? ["error": "#ERROR!"] : .integer(Int64(index % 15)),
            "Notas": index % 9 == 0 ? "Llamar el lunes: \"¿mañana?\" 🎉" : "",
        ]
        if index % 4 == 0 {
            let name = "foto\(index).jpg"
            cells["Foto"] = [
                [
                    "id": .string("att" + digits(index, count: 14)), "filename": .string(name), "type": "image/jpeg",
                    "size": .integer(Int64(40_000 + index)), "url": .string("https://attachments.example/\(name)"),
                ]
            ]
        }
        if index >= 10 { cells["Jefe"] = [.string("rec" + digits(index % 10 + 1, count: 14))] }
        if let name = name(index) { cells["Nombre"] = .string(name) }
        return AirtableStandIn.Record(
            id: "rec" + digits(index + 1, count: 14),
            createdTime: "2024-0\(1 + index % 9)-\(digits(1 + index % 28, count: 2))T08:30:00.000Z",
            cells: cells,
            commentCount: index % 3
        )
    }

    /// The name as somebody has typed it in.
    private static func name(_ index: Int) -> String? {
        switch index % 50 {
        case 13: nil
        case 21: "N/A"
        case 29: "   "
        case 34: " N/A "
        case 42: "  \(fullName(index)) "
        default: fullName(index)
        }
    }

    private static func fullName(_ index: Int) -> String {
        let first = firstNames[index * 13 % firstNames.count]
        return "\(first) \(lastNames[index * 17 % lastNames.count]) \(lastNames[(index / 7 + 3) % lastNames.count])"
    }

    private static func digits(_ number: Int, count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    private static let firstNames = [
        "Álvaro", "María José", "Íñigo", "Begoña", "Óscar", "Lucía", "Ana", "andrés", "Zoë", "Núria", "Jesús", "Úrsula",
        "Carmen", "Peter", "Édgar", "Ñusta", "Nieves", "Françoise", "Jürgen", "Sofía", "Raúl", "Inés", "Noé",
    ]
    private static let lastNames = [
        "Núñez", "García", "Peña", "Muñoz", "Ibáñez", "Castro", "López-Chaves", "de la Cruz", "O'Connor", "Zúñiga",
        "Ruiz", "Ñancupil", "Sánchez", "Ángel", "Ortega", "Öberg", "Vázquez", "Llorente", "Chacón",
    ]
    private static let roles: [String] = ["Agente de ventas", "Gerente", "Analista", "Soporte", "Agente de ventas"]
    private static let offices: [String] = ["Madrid", "Bogotá", "Ciudad de México", "A Coruña"]
    private static let languages: [JSONValue] = ["español", "inglés", "português"]
}
