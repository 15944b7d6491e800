package plugin

import "syscall"

// closeOnExec makes a socket close-on-exec when it is created.
const closeOnExec = syscall.SOCK_CLOEXEC
