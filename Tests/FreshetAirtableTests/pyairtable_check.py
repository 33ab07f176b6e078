"""Reads the stand-in with pyairtable, a client that knows nothing of it. Arguments: what to check, endpoint, token."""

import sys

from pyairtable import Api, retry_strategy
from pyairtable.formulas import match
from requests.exceptions import HTTPError, RetryError

BASE, PEOPLE, CHANGES = "appPeople00000001", "Personas", "Altas/Bajas 2024"


def status_of(call):
    try:
        call()
    except HTTPError as error:
        return error.response.status_code, error.args[-1]
    raise AssertionError("no error was raised")


def check_reading(endpoint, token):
    api = Api(token, endpoint_url=endpoint, retry_strategy=False, timeout=(10, 10))
    people = api.table(BASE, PEOPLE)

    everybody = people.all()
    assert len(everybody) == 400 and len({person["id"] for person in everybody}) == 400
    assert "Activo" not in everybody[0]["fields"] and everybody[0]["fields"]["Salario"] == 0
    assert [len(page) for page in people.iterate(page_size=50, max_records=120)] == [50, 50, 20]

    agents = people.all(view="Agentes de venta", fields=["Nombre", "Puesto"])
    assert len(agents) == 160
    assert {agent["fields"]["Puesto"] for agent in agents} == {"Agente de ventas"}

    managers = people.all(formula=match({"Puesto": "Gerente"}), sort=["-Nombre"])
    names = [manager["fields"].get("Nombre", "").lower() for manager in managers]
    assert len(managers) == 80 and names == sorted(names, reverse=True)

    by_id = people.first(use_field_ids=True)
    assert by_id["fields"]["fldPeople00000002"] == "persona0@example.com"
    text = people.first(cell_format="string", time_zone="Europe/Madrid", user_locale="es", count_comments=True)
    assert text["fields"]["Salario"] == "0" and text["commentCount"] == 0

    long_formula = "NOT(OR(" + ",".join("{Nombre}='%s'" % ("x" * 400) for _ in range(60)) + "))"
    assert len(people.all(formula=long_formula)) == 400, "too long for GET"
    changes = api.table(BASE, CHANGES).all()
    assert len(changes) == 12 and changes[0]["fields"]["id"] == "C-0"

    status, text = status_of(lambda: people.all(view="Nobody"))
    assert status == 422 and "'type': 'VIEW_NAME_NOT_FOUND'" in text, text
    assert status_of(lambda: api.table("nonsense", PEOPLE).all()) == (404, "'NOT_FOUND'")
    assert status_of(lambda: api.table(BASE, "Nobody").all())[0] == 403
    assert status_of(lambda: Api("other", endpoint_url=endpoint, retry_strategy=False).table(BASE, PEOPLE).all())[0] == 401


def check_rate_limit(endpoint, token):
    """The base locks itself once, at the second page."""
    people = Api(token, endpoint_url=endpoint, retry_strategy=retry_strategy(total=10)).table(BASE, PEOPLE)
    assert len(people.all()) == 400


def check_quota(endpoint, token):
    """One call is left this month."""
    people = Api(token, endpoint_url=endpoint, retry_strategy=retry_strategy(total=2, backoff_factor=0)).table(BASE, PEOPLE)
    assert people.first() is not None
    try:
        people.first()
    except RetryError as error:
        assert "too many 429 error responses" in str(error), error
    else:
        raise AssertionError("no error was raised")
    hasty = Api(token, endpoint_url=endpoint, retry_strategy=False).table(BASE, PEOPLE)
    try:
        hasty.first()
    except HTTPError as error:
        assert error.response.status_code == 429
        assert error.response.json()["errors"][0]["error"] == "PUBLIC_API_BILLING_LIMIT_EXCEEDED"
    else:
        raise AssertionError("no error was raised")


if __name__ == "__main__":
    {"reading": check_reading, "rate-limit": check_rate_limit, "quota": check_quota}[sys.argv[1]](*sys.argv[2:])
    print("pyairtable agrees")
