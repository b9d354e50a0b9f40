export const shells = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof shells)[number];

/*
 * Each asks `meridian complete` what the word under the cursor may become: a word a line, its description behind a tab;
 * `:files` alone stands for names of files.
 */

/**
 * Bash breaks words at colons and more, which keys have: the line is parted anew at its spaces, and of what is suggested
 * the part goes that stands before the last such character, since bash keeps that.
 */
const bash = `# Completion of meridian for bash: source <(meridian completion bash)
_meridian() {
  local line=\${COMP_LINE:0:COMP_POINT} words current kept quoted word
  read -a words <<< "$line"
  [[ $line == *[[:space:]] && $line != *\\\\[[:space:]] ]] && words+=('')
  current=\${words[\${#words[@]}-1]}
  COMPREPLY=()
  printf -v quoted %q "$current"
  kept=\${quoted%"\${quoted##*[:=]}"}
  [[ $quoted == *[:=]* ]] || kept=
  while IFS=$'\\t' read -r word _; do
    if [[ $word == :files ]]; then
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
    fi
    printf -v quoted %q "$word"
    COMPREPLY+=("\${quoted#"$kept"}")
  done < <("\${words[0]}" complete -- "\${words[@]:1}" 2> /dev/null)
}
complete -F _meridian meridian
`;

const zsh = `#compdef meridian
# Completion of meridian for zsh: source <(meridian completion zsh)
_meridian() {
  local line word
  local -a names shown
  for line in "\${(@f)$("\${(Q)words[1]}" complete -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2> /dev/null)}"; do
    word=\${line%%$'\\t'*}
    [[ -n $word ]] || continue
    if [[ $word == :files ]]; then
      _files
      return
    fi
    names+=("$word")
    [[ $line == *$'\\t'* ]] && shown+=("$word  -- \${line#*$'\\t'}") || shown+=("$word")
  done
  (( $#names )) && compadd -l -d shown -a names
}
if [[ $funcstack[1] == _meridian ]]; then
  _meridian "$@"
else
  compdef _meridian meridian
fi
`;

const fish = `# Completion of meridian for fish: meridian completion fish | source
function __meridian_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] complete -- $words[2..-1] 2> /dev/null)
  if test "$found" = :files
    __fish_complete_path (commandline -ct)
  else if test (count $found) -gt 0
    printf '%s\\n' $found
  end
end
complete -c meridian -f -k -a '(__meridian_complete)'
`;

export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
