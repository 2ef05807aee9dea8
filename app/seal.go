package app

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// seal closes what is said between nodes (AES-256-GCM): who does not know
// node.secret can neither read nor say it, whatever network lies between them.
// The key is that of one node's memory, so it lives as long as that node.
type seal struct{ aead cipher.AEAD }

func newSeal(secret, keeper string) (seal, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "mailroom memory of node "+keeper, 32)
	if err != nil {
		return seal{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return seal{aead}, err
}

// close seals v for one place in one exchange: it opens nowhere else.
func (s seal) close(place string, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, text, []byte(place)), nil
}

func (s seal) open(place string, sealed []byte, v any) error {
	text, err := s.aead.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return fmt.Errorf("what came was not sealed with our node.secret, or is not meant for here: %w", err)
	}
	return json.Unmarshal(text, v)
}
