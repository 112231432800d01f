# SPDX-License-Identifier: MIT
# sockctl.bash - completion of sockctl for bash; sockctl itself knows what can follow.

_sockctl()
{
    local line=${COMP_LINE:0:COMP_POINT} typed candidates

    # The shell also breaks words at = and :, and puts in only what follows the last of them.
    typed=${line##*[[:space:]]}
    COMPREPLY=()
    candidates=$("${COMP_WORDS[0]}" --complete "$line" 2>/dev/null) || return
    if [[ $candidates == :files ]]; then
        type compopt &>/dev/null && compopt -o default
        return
    fi
    local prefix=
    [[ $typed == *[=:]* ]] && prefix=${typed%"${typed##*[=:]}"}
    local candidate
    while IFS= read -r candidate; do
        [[ -n $candidate ]] && COMPREPLY+=("${candidate#"$prefix"}")
    done <<<"$candidates"
}

complete -F _sockctl sockctl
