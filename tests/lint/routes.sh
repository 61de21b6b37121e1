#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds the route table (scheduler/handlers/routes.c) against openapi.yaml:
# paths, methods, query parameters, roles, bodies; and the contract against
# itself: every reference leads somewhere, every part is used. Prints each breach.
cd "$(dirname "$0")/../.." || exit 1
exec python3 tests/lint/routes.py
