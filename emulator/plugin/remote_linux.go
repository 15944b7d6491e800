package plugin

import (
	"fmt"
	"syscall"
)

// remoteFileSystems have their files on other machines, and send no notifications of changes there.
// 9p also serves Windows disks in WSL, and vboxsf the host's folders in a virtual machine.
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

// remote returns why the system may not report changes in a folder, or "".
func remote(folder string) string {
	var s syscall.Statfs_t
	if syscall.Statfs(folder, &s) != nil {
		return ""
	}
	if name := remoteFileSystems[uint32(s.Type)]; name != "" { //nolint:unconvert // the type differs between processors
		return fmt.Sprintf("%s is on another machine (%s)", folder, name)
	}
	return ""
}
