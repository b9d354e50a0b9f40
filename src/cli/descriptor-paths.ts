/*
 * Descriptors of this process, by the paths that systems have for them. A shell gives some to a command (`>(gzip > a.gz)`); behind
 * each there may be a pipe, a terminal or a file, and beside none of them anything can be written.
 */

export function isStandardInput(path: string): boolean {
  return path === '-' || path === '/dev/stdin' || /^\/(dev|proc\/self)\/fd\/0$/.test(path);
}

export function isStandardOutput(path: string): boolean {
  return path === '-' || path === '/dev/stdout' || /^\/(dev|proc\/self)\/fd\/1$/.test(path);
}

export function isDescriptor(path: string): boolean {
  return /^\/(dev\/std(in|out|err)|(dev|proc\/self)\/fd\/\d+)$/.test(path);
}
