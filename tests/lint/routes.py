# SPDX-License-Identifier: Apache-2.0
"""Called by routes.sh."""
import re
import sys

import yaml

METHODS = ("get", "put", "post", "patch", "delete")
breaches = []


def breach(text):
    breaches.append(text)


def table():
    """{(method, path): {"role", "query", "body"}} of the C table."""
    source = open("scheduler/handlers/routes.c", encoding="utf-8").read()
    line = re.compile(
        r'\{HTTP_(\w+),\s*"([^"]*)",\s*ROLE_(\w+),\s*"([^"]*)",\s*([^,]+),\s*(\w+)\}')
    routes = {}
    for method, path, role, query, body, _ in line.findall(source):
        routes[(method.lower(), path)] = {
            "role": role.lower(), "query": set(query.split()), "body": body.strip() != "0"}
    if len(routes) != source.count("{HTTP_"):
        breach("routes.c: some lines of the table are not in the usual form")
    return routes


def follow(contract, value):
    while isinstance(value, dict) and "$ref" in value:
        target = contract
        for step in value["$ref"].removeprefix("#/").split("/"):
            if step not in target:
                breach(f"openapi.yaml: {value['$ref']} leads nowhere")
                return {}
            target = target[step]
        value = target
    return value


def contract_routes(contract):
    routes = {}
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            if method not in METHODS:
                continue
            parameters = [follow(contract, p) for p in
                          item.get("parameters", []) + operation.get("parameters", [])]
            routes[(method, path)] = {
                "role": operation.get("x-role"),
                "query": {p["name"] for p in parameters if p["in"] == "query"},
                "body": "requestBody" in operation}
            named = {p["name"] for p in parameters if p["in"] == "path"}
            wanted = set(re.findall(r"\{(\w+)\}", path))
            if named != wanted:
                breach(f"{method} {path}: path parameters {named} are not {wanted}")
            for key in ("operationId", "summary", "responses"):
                if key not in operation:
                    breach(f"{method} {path}: no {key}")
            if "default" not in operation["responses"]:
                breach(f"{method} {path}: says nothing of errors")
            if (operation.get("x-role") == "none") != (operation.get("security") == []):
                breach(f"{method} {path}: security and x-role disagree")
    return routes


def references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def main():
    with open("openapi.yaml", encoding="utf-8") as file:
        contract = yaml.safe_load(file)
    mine, theirs = table(), contract_routes(contract)
    for route in sorted(mine.keys() | theirs.keys()):
        name = f"{route[0].upper()} {route[1]}"
        if route not in theirs:
            breach(f"{name}: served, but not in openapi.yaml")
        elif route not in mine:
            breach(f"{name}: in openapi.yaml, but not served")
        else:
            for key in ("role", "query", "body"):
                if mine[route][key] != theirs[route][key]:
                    breach(f"{name}: {key} is {mine[route][key]} in routes.c, "
                           f"{theirs[route][key]} in openapi.yaml")
    used = set(references(contract))
    for reference in used:
        follow(contract, {"$ref": reference})
    for kind in ("parameters", "headers", "responses", "schemas"):
        for name in contract["components"][kind]:
            if f"#/components/{kind}/{name}" not in used:
                breach(f"openapi.yaml: components.{kind}.{name} is used nowhere")
    for text in breaches:
        print(text)
    print(f"routes: {len(breaches)} breaches" if breaches else
          f"routes: {len(mine)} routes, clean")
    sys.exit(1 if breaches else 0)


main()
