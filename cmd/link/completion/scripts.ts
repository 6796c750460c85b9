import { COMPLETE_WORD } from "./complete.ts";

/** Bash, version 3.2 and later. Words are cut at blanks only: readline would also cut `--context=west` and `a:b`. */
const BASH = `# Completion of link for bash.
_link_complete() {
  local line="\${COMP_LINE:0:COMP_POINT}" out cur prefix value
  local -a words
  read -r -a words <<<"$line"
  case "$line" in *[[:space:]]) words+=("") ;; esac
  out="$("\${words[0]}" ${COMPLETE_WORD} "\${words[@]:1}" 2>/dev/null)" || return
  cur="\${words[\${#words[@]} - 1]}"
  prefix="\${cur%"\${cur##*[:=]}"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    case "$value" in
      :0) type compopt >/dev/null 2>&1 && compopt -o default ;;
      :* | "") ;;
      *) COMPREPLY+=("\${value#"$prefix"}") ;;
    esac
  done <<<"$out"
}
complete -F _link_complete link kubectl-link
`;

const ZSH = `#compdef link kubectl-link
# Completion of link for zsh.
_link() {
  local out line
  local -a values
  local files=0
  out="$("\${(Q)words[1]}" ${COMPLETE_WORD} "\${(@Q)words[2,CURRENT]}" 2>/dev/null)" || return 1
  for line in "\${(@f)out}"; do
    case "$line" in
      :0) files=1 ;;
      :* | "") ;;
      *$'\\t'*) values+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
      *) values+=("\${line//:/\\\\:}") ;;
    esac
  done
  if (( files )); then
    _files
  else
    _describe link values
  fi
}
if [[ "\${funcstack[1]}" == _link ]]; then
  _link "$@"
else
  compdef _link link kubectl-link
fi
`;

const FISH = `# Completion of link for fish.
function __link_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l out ($words[1] ${COMPLETE_WORD} $words[2..-1] 2>/dev/null)
    for line in $out
        switch $line
            case ':0'
                __fish_complete_path (commandline -ct)
            case ':*' ''
            case '*'
                printf '%s\\n' $line
        end
    end
end
complete -c link -f -a '(__link_complete)'
complete -c kubectl-link -f -a '(__link_complete)'
`;

/** What kubectl calls to complete `kubectl link`: it looks for this name on the PATH. */
const KUBECTL = `#!/bin/sh
# Put it on the PATH as kubectl_complete-link, beside kubectl-link, and make it executable.
exec kubectl-link ${COMPLETE_WORD} "$@"
`;

/** The script of each shell, and of kubectl, by which `link` is completed. */
export const COMPLETION_SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH, kubectl: KUBECTL } as const;

export type Shell = keyof typeof COMPLETION_SCRIPTS;
