// The tests hold the other end of the standard input: when they end, however they do, so does this.
process.stdin.on("end", () => process.exit(0)).on("error", () => process.exit(0)).resume();
