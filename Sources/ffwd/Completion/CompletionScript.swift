/// A shell whose command lines can be completed.
enum CompletionShell: String, CaseIterable {
    case bash, zsh, fish

    /// What makes the shell ask this program; all decisions are made there.
    var script: String {
        switch self {
        case .bash: Self.bashScript
        case .zsh: Self.zshScript
        case .fish: Self.fishScript
        }
    }

    /// bash hands over the line as it is typed: its own words begin anew behind `:` and `=`.
    private static let bashScript = #"""
        # bash completion for ffwd.
        _ffwd() {
            local program=${1/#\~\//$HOME/} line directive=:0
            local -a choices=()
            while IFS='' read -r line; do
                choices+=("$line")
            done < <("$program" __complete_line "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null </dev/null)
            COMPREPLY=()
            for line in "${choices[@]}"; do
                if [[ $line == :* && $line == "${choices[${#choices[@]} - 1]}" ]]; then
                    directive=$line
                else
                    COMPREPLY+=("$(printf %q "${line%%$'\t'*}")")
                fi
            done
            ((${directive#:} & 2)) && compopt -o nospace
            ((${directive#:} & 4)) || compopt -o default -o bashdefault
            return 0
        }
        complete -F _ffwd ffwd
        """#

    private static let zshScript = #"""
        #compdef ffwd
        # zsh completion for ffwd.
        _ffwd() {
            local program=${~${(Q)words[1]}} line directive=:0
            local -a lines choices suffix
            lines=("${(@f)$("$program" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
            directive=${lines[-1]:-:0}
            for line in "${(@)lines[1,-2]}"; do
                if [[ $line == *$'\t'* ]]; then
                    choices+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
                else
                    choices+=("${line//:/\\:}")
                fi
            done
            ((${directive#:} & 2)) && suffix=(-S '')
            if ((${#choices})); then
                _describe -V ffwd choices "${suffix[@]}"
            elif ! ((${directive#:} & 4)); then
                [[ $PREFIX == --*=* ]] && compset -P '*='
                _files
            fi
        }
        if [[ $funcstack[1] == _ffwd ]]; then
            _ffwd "$@"
        else
            compdef _ffwd ffwd
        fi
        """#

    private static let fishScript = #"""
        # fish completion for ffwd.
        function __ffwd_complete
            set -l words (commandline -opc)
            set -l beginning (commandline -ct)
            set -l lines ($words[1] __complete $words[2..-1] "$beginning" 2>/dev/null </dev/null)
            if test (count $lines) -eq 1 -a "$lines[1]" = :0
                set -l head (string match -r -- '^--[^=]*=' "$beginning")
                for path in (__fish_complete_path (string replace -- "$head" '' "$beginning"))
                    echo $head$path
                end
            else if test (count $lines) -gt 1
                printf '%s\n' $lines[1..-2]
            end
        end
        complete -c ffwd -f -a '(__ffwd_complete)'
        """#
}
