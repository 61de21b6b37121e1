# SPDX-License-Identifier: Apache-2.0
"""Holds JSON against the schemas of openapi.yaml: as much of JSON Schema as that file uses."""
import os
import re

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}
KNOWN = {"$ref", "type", "enum", "const", "pattern", "required", "properties", "additionalProperties", "items",
         "oneOf", "allOf", "minimum", "maximum", "minLength", "maxLength", "maxItems", "maxProperties",
         "description", "default", "example"}


class Contract:
    def __init__(self):
        with open(os.path.join(ROOT, "openapi.yaml"), encoding="utf-8") as file:
            self.document = yaml.safe_load(file)

    def follow(self, value):
        while "$ref" in value:
            target = self.document
            for step in value["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            value = target
        return value

    def errors(self, schema, value, where="$"):
        """Yields what is wrong with 'value', each with its place."""
        schema = self.follow(schema)
        unknown = schema.keys() - KNOWN
        assert not unknown, f"contract.py does not know {unknown}"
        kinds = schema.get("type")
        if kinds is not None:
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if not any(TYPES[kind](value) for kind in kinds):
                yield f"{where}: {value!r} is not {' or '.join(kinds)}"
                return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        if "const" in schema and value != schema["const"]:
            yield f"{where}: {value!r} is not {schema['const']!r}"
        if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
            yield f"{where}: {value!r} does not match {schema['pattern']}"
        if isinstance(value, int) and not isinstance(value, bool):
            if value < schema.get("minimum", value) or value > schema.get("maximum", value):
                yield f"{where}: {value} is out of range"
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.errors(schema.get("items", {}), item, f"{where}[{index}]")
        if isinstance(value, dict):
            yield from self.object_errors(schema, value, where)
        for part in schema.get("allOf", []):
            yield from self.errors(part, value, where)
        if "oneOf" in schema:
            fits = sum(not list(self.errors(part, value, where)) for part in schema["oneOf"])
            if fits != 1:
                yield f"{where}: {value!r} fits {fits} of {len(schema['oneOf'])} forms"

    def object_errors(self, schema, value, where):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}: '{name}' is missing"
        properties = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in properties:
                yield from self.errors(properties[name], item, f"{where}.{name}")
            elif more is False:
                yield f"{where}: '{name}' is not in the contract"
            elif isinstance(more, dict):
                yield from self.errors(more, item, f"{where}.{name}")

    def operation(self, method, path):
        """The operation that serves this path, or None."""
        path = path.split("?")[0]
        for template, item in self.document["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template.replace(".", r"\."))
            if re.fullmatch(pattern, path) and method.lower() in item:
                return item[method.lower()]
        return None

    def check_answer(self, method, path, status, media_type, body):
        """Raises AssertionError unless the contract allows this answer. 'body' is parsed JSON or None."""
        operation = self.operation(method, path)
        problem = {"$ref": "#/components/responses/Problem"}
        responses = operation["responses"] if operation else {}
        response = self.follow(responses.get(str(status)) or (problem if status >= 400 else {}))
        assert response, f"{method} {path}: {status} is not in the contract"
        content = response.get("content", {})
        if not content:
            assert body is None, f"{method} {path}: {status} has no body in the contract"
            return
        media_type = media_type.split(";")[0]
        assert media_type in content, f"{method} {path}: {media_type} is not one of {list(content)}"
        if media_type.endswith("json"):
            wrong = list(self.errors(content[media_type]["schema"], body))
            assert not wrong, f"{method} {path} {status}: " + "; ".join(wrong[:5])
