package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority is a certificate authority made for one directory.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	serial      int64
}

// openAuthority takes up the authority of an earlier server in the directory, as a server does that is restarted, or
// makes one and leaves it there.
func openAuthority(directory string) (*authority, error) {
	path := filepath.Join(directory, "authority")
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return newAuthority(path)
	}
	if err != nil {
		return nil, err
	}
	certificate, rest := pem.Decode(text)
	key, _ := pem.Decode(rest)
	if certificate == nil || key == nil {
		return nil, fmt.Errorf("%s holds no certificate and key", path)
	}
	a := &authority{serial: time.Now().UnixNano()}
	if a.certificate, err = x509.ParseCertificate(certificate.Bytes); err != nil {
		return nil, err
	}
	a.key, err = x509.ParseECPrivateKey(key.Bytes)
	return a, err
}

func newAuthority(path string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "kubernetes"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(encoded)
	if err != nil {
		return nil, err
	}
	encodedKey, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encoded}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encodedKey})...)
	return &authority{certificate: certificate, key: key, serial: 1}, os.WriteFile(path, text, 0o600)
}

// issue makes a certificate and its key, both in PEM; a server's is for loopback and for its address.
func (a *authority) issue(subject pkix.Name, usage x509.ExtKeyUsage, address string) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial),
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
	}
	if usage == x509.ExtKeyUsageServerAuth {
		template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default.svc"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		if ip := net.ParseIP(address); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		}
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	encodedKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encoded}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encodedKey}), nil
}

// serverTLS is what the API server speaks: a client certificate is asked for, and a token will do as well.
func serverTLS(a *authority, address, cipher string) (*tls.Config, error) {
	certificate, key, err := a.issue(pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth, address)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.certificate)
	settings := &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    clients,
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}
	if cipher == "" {
		return settings, nil
	}
	for _, suite := range tls.CipherSuites() {
		if suite.Name == cipher {
			// Go lets nobody choose among the suites of TLS 1.3.
			settings.CipherSuites = []uint16{suite.ID}
			settings.MaxVersion = tls.VersionTLS12
			return settings, nil
		}
	}
	return nil, fmt.Errorf("unknown cipher suite %q", cipher)
}

// The bearer tokens that the server knows, and what each may do with pods/portforward.
const (
	tokenAll    = "token-all"
	tokenCreate = "token-create" // as many roles grant it: create only, which a GET upgrade does not satisfy
	tokenGet    = "token-get"    // get only, which is enough for a GET upgrade before Kubernetes 1.35
	tokenNone   = "token-none"
)

// writeKubeconfigs writes a kubeconfig for each kind of credential.
func writeKubeconfigs(directory, url string, a *authority) error {
	certificate, key, err := a.issue(
		pkix.Name{CommonName: "certificate-all", Organization: []string{"system:masters"}}, x509.ExtKeyUsageClientAuth, "")
	if err != nil {
		return err
	}
	users := map[string]string{
		"kubeconfig": fmt.Sprintf("    client-certificate-data: %s\n    client-key-data: %s\n",
			base64.StdEncoding.EncodeToString(certificate), base64.StdEncoding.EncodeToString(key)),
		"kubeconfig-token":           "    token: " + tokenAll + "\n",
		"kubeconfig-token-create":    "    token: " + tokenCreate + "\n",
		"kubeconfig-token-get":       "    token: " + tokenGet + "\n",
		"kubeconfig-token-none":      "    token: " + tokenNone + "\n",
		"kubeconfig-token-forgotten": "    token: token-forgotten\n",
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	for name, user := range users {
		text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: peers
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: tester
  user:
%scontexts:
- name: peers
  context:
    cluster: peers
    user: tester
    namespace: default
current-context: peers
`, url, base64.StdEncoding.EncodeToString(root), user)
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
