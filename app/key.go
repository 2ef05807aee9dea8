package app

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// keyFile holds the server key of an installation with one node.
const keyFile = "server.key"

// serverKey is the key that all tokens derive from: from node.secret, so that
// all nodes have the same, or from a file that the first start makes. A
// database that was used with another key is refused: every link in every mail
// would be dead.
func (a *App) serverKey(ctx context.Context) ([]byte, error) {
	key, source, err := a.readKey()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	sum := sha256.Sum256(append([]byte("fingerprint\x00"), key...))
	mine := hex.EncodeToString(sum[:8])
	var known string
	err = a.store.Write(ctx, uuid.Nil, func(tx bridge.Tx) (err error) {
		known, err = tx.AddSetting(ctx, "key_fingerprint", mine)
		return err
	})
	if err == nil && known != mine {
		err = fmt.Errorf("%s: this is not the key that this database was made with (its fingerprint is %s, this one's %s). Bring back the right one, or every link that was mailed is dead", source, known, mine)
	}
	return key, err
}

func (a *App) readKey() (key []byte, source string, err error) {
	if s := a.config.Node.Secret; s != "" {
		key, err := hkdf.Key(sha256.New, []byte(s), nil, "mailroom server key", 32)
		return key, "node.secret", err
	}
	file := filepath.Join(a.config.DataDir, keyFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(file)
	}
	if err != nil {
		return nil, file, err
	}
	key, err = hex.DecodeString(strings.TrimSpace(string(text)))
	return key, file, err
}

// makeKey writes a new key so that it is there as a whole or not at all.
func makeKey(file string) (key []byte, source string, err error) {
	key = make([]byte, 32)
	rand.Read(key) // never fails (Go 1.24)
	f, err := os.CreateTemp(filepath.Dir(file), keyFile+".*")
	if err != nil {
		return nil, file, err
	}
	_, err = f.WriteString(hex.EncodeToString(key))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(file))
	}
	return key, file, err
}

// syncFolder makes a rename in it outlive a power failure.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
