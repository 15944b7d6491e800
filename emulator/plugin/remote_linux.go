package plugin

import (
	"fmt"
	"syscall"
)

// remoteFileSystems are those of other machines, which tell nothing of what happens there. 9p is also that of
// Windows's disks in its Linux, and vboxsf that of a virtual machine's host.
var remoteFileSystems = map[uint32]string{
	0x6969:     "NFS",
	0x517b:     "SMB",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB",
	0x01021997: "9p",
	0x786f4256: "vboxsf",
	0x5346414f: "AFS",
	0x00c36400: "Ceph",
}

// remote returns why the system may not tell of changes in a folder, or "".
func remote(folder string) string {
	var s syscall.Statfs_t
	if syscall.Statfs(folder, &s) != nil {
		return ""
	}
	if name := remoteFileSystems[uint32(s.Type)]; name != "" { //nolint:unconvert // its type differs between processors
		return fmt.Sprintf("%s is on another machine (%s)", folder, name)
	}
	return ""
}
