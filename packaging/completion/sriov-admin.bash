# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of sriov-admin for bash: nouns, verbs, options and the values that an
# option can have are asked from the program itself.
_sriov_admin() {
    local current=${COMP_WORDS[COMP_CWORD]} words=
    case $COMP_CWORD in
    1) words=$(sriov-admin --help | awk '/^  [a-z]+ [a-z]+/ {print $1}' | sort -u) ;;
    2) words=$(sriov-admin "${COMP_WORDS[1]}" --help | awk '/^  / {print $1}') ;;
    *)
        # The line of the option before: "  --bridge-mode veb|vepa|keep  text".
        words=$(sriov-admin "${COMP_WORDS[1]}" "${COMP_WORDS[2]}" --help |
            awk -v option="${COMP_WORDS[COMP_CWORD - 1]}" '$1 == option && $2 ~ /[|]/ {gsub(/[|]/, "\n", $2); print $2}' |
            grep -v '[A-Z]')
        [ -n "$words" ] ||
            words=$(sriov-admin "${COMP_WORDS[1]}" "${COMP_WORDS[2]}" --help | grep -oE '^  --[a-z-]+')
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _sriov_admin sriov-admin
