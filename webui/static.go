package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed static
var staticFS embed.FS

// staticFiles are the sheet, the scripts and the pictures. Their address has a hash of all of them, so that browsers keep
// them for ever and yet never mix two versions.
type staticFiles struct {
	prefix string // /static/<hash>/
	files  map[string]staticFile
}

type staticFile struct {
	kind          string
	plain, packed []byte // packed: gzip
}

// kinds are the media types of what is there; the table of the machine may differ.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// Reading what is compiled in cannot fail at run time, hence the panic.
var embeddedStatic = sync.OnceValue(func() *staticFiles {
	files, err := loadStatic(staticFS, "static")
	if err != nil {
		panic("webui: " + err.Error())
	}
	return files
})

func loadStatic(fsys fs.FS, dir string) (*staticFiles, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, err
	}
	s, sum := &staticFiles{files: make(map[string]staticFile)}, sha256.New()
	for _, entry := range entries {
		plain, err := fs.ReadFile(fsys, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		sum.Write(plain)
		s.files[entry.Name()] = staticFile{kinds[path.Ext(entry.Name())], plain, pack(plain, gzip.BestCompression)}
	}
	s.prefix = "/static/" + hex.EncodeToString(sum.Sum(nil))[:12] + "/"
	return s, nil
}

func pack(plain []byte, level int) []byte {
	var b bytes.Buffer
	// Neither writing to memory nor a level that exists can fail.
	w, _ := gzip.NewWriterLevel(&b, level)
	_, _ = w.Write(plain)
	_ = w.Close()
	return b.Bytes()
}

// base is the prefix for templates, without the last slash.
func (s *staticFiles) base() string { return strings.TrimSuffix(s.prefix, "/") }

func (s *staticFiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := s.files[strings.TrimPrefix(r.URL.Path, s.prefix)]
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	h, body := w.Header(), file.plain
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	if packs(r) {
		h.Set("Content-Encoding", "gzip")
		body = file.packed
	}
	_, _ = w.Write(body) // who went away needs no file
}
