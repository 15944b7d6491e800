package emulator

const exeSuffix = ".exe"
