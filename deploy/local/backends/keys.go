package backends

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sidecart.dev/local/freeport"
)

// keys are what the servers of one folder are set up with: made once, then read from the folder.
type keys struct {
	// Passwords by login: each database's, "redis", and "admin" of PostgreSQL.
	Passwords map[string]string `json:"passwords"`
	// Ports by server.
	Ports map[string]int `json:"ports"`
	// Certificate and Key are of the servers, in PEM, for localhost.
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
}

func loadKeys(dir string) (*keys, error) {
	path := filepath.Join(dir, "keys.json")
	text, err := os.ReadFile(path)
	if err == nil {
		var k keys
		return &k, json.Unmarshal(text, &k)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	k, err := makeKeys()
	if err != nil {
		return nil, err
	}
	if text, err = json.Marshal(k); err != nil {
		return nil, err
	}
	return k, errors.Join(
		os.WriteFile(path, text, 0o600),
		//nolint:gosec // a certificate is public
		os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(k.CA), 0o644),
	)
}

func makeKeys() (*keys, error) {
	k := &keys{Passwords: map[string]string{}, Ports: map[string]int{}}
	for _, login := range append([]string{"redis", "admin"}, Databases...) {
		k.Passwords[login] = strings.ToLower(rand.Text())
	}
	used := map[int]bool{}
	for _, server := range []string{"postgresql", "redis"} {
		port, err := freeport.Find(used)
		if err != nil {
			return nil, err
		}
		k.Ports[server] = port
	}
	var err error
	k.CA, k.Certificate, k.Key, err = Certificates("localhost")
	return k, err
}

// Certificates makes an authority, which is forgotten once it has signed one certificate for
// servers of these names, in PEM.
func Certificates(names ...string) (ca, certificate, key string, err error) {
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Sidecart's own stores"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", "", err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", "", err
	}
	sign := func(c *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
		return x509.CreateCertificate(rand.Reader, c, authority, &key.PublicKey, authorityKey)
	}
	authorityDER, err := sign(authority, authorityKey)
	if err != nil {
		return "", "", "", err
	}
	serverDER, err := sign(server, serverKey)
	if err != nil {
		return "", "", "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return "", "", "", err
	}
	ca, certificate = block("CERTIFICATE", authorityDER), block("CERTIFICATE", serverDER)
	return ca, certificate, block("PRIVATE KEY", keyDER), nil
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// write puts the servers' certificate and key into dir, for its owner.
func (k *keys) write(dir string) (certificate, key string, err error) {
	certificate, key = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	return certificate, key, errors.Join(
		os.WriteFile(certificate, []byte(k.Certificate), 0o600), os.WriteFile(key, []byte(k.Key), 0o600))
}
