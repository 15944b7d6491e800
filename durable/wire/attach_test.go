package wire_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"devtool.internal/durable/wire"
)

// writeAttach writes the file for the project in a folder.
func writeAttach(t *testing.T, folder, content string) {
	t.Helper()
	file := filepath.Join(folder, filepath.FromSlash(wire.AttachFile))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheAttachFileOfACopyLeadsNowhere(t *testing.T) {
	parent := t.TempDir()
	project, copied, renamed := filepath.Join(parent, "a"), filepath.Join(parent, "b"), filepath.Join(parent, "c")
	if err := os.Mkdir(project, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.ReadAttach(project); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
	content, err := wire.AttachContent("/tmp/dt1/s", project)
	if err != nil {
		t.Fatal(err)
	}
	writeAttach(t, project, content)
	if socket, err := wire.ReadAttach(project); socket != "/tmp/dt1/s" || err != nil {
		t.Errorf("got %q, %v, want the socket", socket, err)
	}
	if err := os.CopyFS(copied, os.DirFS(project)); err != nil {
		t.Fatal(err)
	}
	if socket, err := wire.ReadAttach(copied); !errors.Is(err, wire.ErrCopied) {
		t.Errorf("a copy: got %q, %v, want %v", socket, err, wire.ErrCopied)
	}
	// A copy that takes the original's path is still a copy.
	if err := errors.Join(os.Rename(project, renamed), os.Rename(copied, project)); err != nil {
		t.Fatal(err)
	}
	id, err := wire.FolderID(renamed)
	if err != nil || id == "" { // without ids, the path is all there is
		return
	}
	if socket, err := wire.ReadAttach(project); !errors.Is(err, wire.ErrCopied) {
		t.Errorf("a copy at the original's path: got %q, %v, want %v", socket, err, wire.ErrCopied)
	}
	if socket, err := wire.ReadAttach(renamed); socket != "/tmp/dt1/s" || err != nil {
		t.Errorf("a renamed project: got %q, %v, want the socket", socket, err)
	}
}

func TestAnAttachFileWithoutAFolderLeadsNowhere(t *testing.T) {
	project := t.TempDir()
	for _, content := range []string{
		"", "\n", "/tmp/dt1/s", "/tmp/dt1/s\n", "/tmp/dt1/s\n\n\n", "/tmp/dt1/s\n" + project,
	} {
		writeAttach(t, project, content)
		id, err := wire.FolderID(project)
		if err != nil || id == "" {
			continue
		}
		if socket, err := wire.ReadAttach(project); !errors.Is(err, wire.ErrCopied) {
			t.Errorf("%q: got %q, %v, want %v", content, socket, err, wire.ErrCopied)
		}
	}
}
