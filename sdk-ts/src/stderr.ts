/** One line on standard error, where a worker's host reads what its processes have to say. */
export function complain(message: string): void {
  process.stderr.write(`${message}\n`);
}
