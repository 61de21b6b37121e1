# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of sriov-admin for bash: nouns, verbs and options are asked from the
# program itself.
_sriov_admin() {
    local current=${COMP_WORDS[COMP_CWORD]}
    case $COMP_CWORD in
    1) mapfile -t COMPREPLY < <(compgen -W "$(sriov-admin --help | awk '/^  [a-z]+ [a-z]+/ {print $1}' | sort -u)" -- "$current") ;;
    2) mapfile -t COMPREPLY < <(compgen -W "$(sriov-admin "${COMP_WORDS[1]}" --help | awk '/^  / {print $1}')" -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(sriov-admin "${COMP_WORDS[1]}" "${COMP_WORDS[2]}" --help | grep -oE '^  --[a-z-]+')" -- "$current") ;;
    esac
}
complete -F _sriov_admin sriov-admin
