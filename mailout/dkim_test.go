package mailout

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailroom/bridge"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/stretchr/testify/require"
)

// keyFile writes a private key, and returns the DNS record of its public one.
func keyFile(t *testing.T, kind string) (file, record string) {
	t.Helper()
	var private crypto.Signer
	var public []byte
	switch kind {
	case "rsa":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(t, err)
		private = key
		public, err = x509.MarshalPKIXPublicKey(key.Public())
		require.NoError(t, err)
	default:
		key, private25519, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		private, public = private25519, key
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "dkim.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return file, "v=DKIM1; k=" + kind + "; p=" + base64.StdEncoding.EncodeToString(public)
}

func verify(t *testing.T, raw []byte, record string) error {
	t.Helper()
	results, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			require.Equal(t, "mr._domainkey.chat.example.org", name)
			return []string{record}, nil
		},
	})
	require.NoError(t, err)
	require.Len(t, results, 1)
	return results[0].Err
}

func TestSignatureHoldsAndCoversWhatMatters(t *testing.T) {
	for _, kind := range []string{"rsa", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			file, record := keyFile(t, kind)
			p := newPeer(t, nil)
			cfg := testConfig("smtp://" + p.address)
			cfg.DKIM = DKIM{Domain: "chat.example.org", Selector: "mr", KeyFile: file}
			require.NoError(t, newSender(t, cfg).Send(t.Context(), letter(bridge.LetterMissed, bob)))
			raw := p.got()[0].raw
			readMail(t, raw)
			require.NoError(t, verify(t, raw, record), "as the peer received it")

			for _, added := range []string{"From: evil@else.test", "Subject: other", "To: victim@else.test", "Cc: victim@else.test",
				"Reply-To: evil@else.test", "Sender: evil@else.test", "List-Unsubscribe: <https://else.test/>", "Content-Type: text/html", "Date: Mon, 1 Jan 2024 00:00:00 +0000"} {
				require.Error(t, verify(t, append([]byte(added+"\r\n"), raw...), record), "with another %s", added)
			}
			require.Error(t, verify(t, bytes.Replace(raw, []byte("Friday"), []byte("Sunday"), 1), record))
			require.NoError(t, verify(t, append([]byte("Received: from x by y\r\n"), raw...), record), "what servers add does no harm")
		})
	}
}

func TestOneClickUnsubscribeIsSigned(t *testing.T) {
	signed := strings.Join(signedFields, ":") + ":"
	for _, name := range []string{"List-Unsubscribe:", "List-Unsubscribe-Post:"} { // RFC 8058 §4
		require.Contains(t, signed, name)
	}
}

func TestWeakAndWrongKeysAreRefused(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	weak := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	_, err = parseKey(weak)
	require.ErrorContains(t, err, "2048")
	_, err = parseKey([]byte("no key"))
	require.ErrorContains(t, err, "openssl genrsa")
	_, err = parseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
	require.Error(t, err)
}
