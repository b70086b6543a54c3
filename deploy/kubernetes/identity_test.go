package kubernetes

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/modes"
	sentrypb "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"github.com/dapr/dapr/pkg/security"
	"github.com/dapr/dapr/pkg/sentry/config"
	"github.com/dapr/dapr/pkg/sentry/server"
	"github.com/dapr/dapr/pkg/sentry/server/ca"
	"github.com/dapr/dapr/pkg/sentry/server/validator"
	"github.com/dapr/kit/crypto/spiffe"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/local/freeport"
)

// The names of the control plane, which sidecars check before they ask it for an identity.
const (
	controlTrustDomain = "cluster.local"
	controlNamespace   = "dapr-system"
)

// newAuthority is Dapr's own certificate authority with keys of this test's.
func newAuthority(t *testing.T) ca.Signer {
	t.Helper()
	dir := t.TempDir()
	authority, err := ca.New(t.Context(), config.Config{
		Mode:             modes.StandaloneMode,
		TrustDomain:      controlTrustDomain,
		WorkloadCertTTL:  time.Hour,
		AllowedClockSkew: time.Minute,
		RootCertPath:     filepath.Join(dir, "ca.crt"),
		IssuerCertPath:   filepath.Join(dir, "issuer.crt"),
		IssuerKeyPath:    filepath.Join(dir, "issuer.key"),
	})
	require.NoError(t, err)
	return authority
}

// startSentry runs Dapr's sentry on loopback and returns its address. Every sidecar that asks
// gets an identity of the trust domain, with the app id and the namespace that it names. On a
// cluster sentry checks both by the Pod's token, and takes the trust domain from the app's
// Configuration; there are no such tokens here.
func startSentry(t *testing.T, authority ca.Signer, trustDomain string, ports map[int]bool) string {
	t.Helper()
	health := healthz.New()
	provider, err := security.New(t.Context(), security.Options{
		ControlPlaneTrustDomain: controlTrustDomain,
		ControlPlaneNamespace:   controlNamespace,
		AppID:                   "dapr-sentry",
		TrustAnchors:            authority.TrustAnchors(),
		MTLSEnabled:             true,
		Mode:                    modes.StandaloneMode,
		Healthz:                 health,
		OverrideCertRequestFn:   ownCertificate(authority),
	})
	require.NoError(t, err)
	port, err := freeport.Find(ports)
	require.NoError(t, err)
	unchecked := sentrypb.SignCertificateRequest_INSECURE
	sentry := server.New(server.Options{
		Port:          port,
		ListenAddress: "127.0.0.1",
		Security:      provider,
		Validators: map[sentrypb.SignCertificateRequest_TokenValidator]validator.Validator{
			unchecked: grant(trustDomain),
		},
		DefaultValidator: unchecked,
		CA:               authority,
		Healthz:          health,
		TLD:              controlTrustDomain,
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 2)
	go func() { ended <- provider.Run(ctx) }()
	go func() { ended <- sentry.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
		assert.NoError(t, <-ended)
	})
	require.Eventually(t, health.IsReady, patience, 10*time.Millisecond, "sentry does not start")
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// ownCertificate signs what sentry shows to the sidecars.
func ownCertificate(authority ca.Signer) spiffe.RequestSVIDFn {
	return func(ctx context.Context, request []byte) (*spiffe.SVIDResponse, error) {
		csr, err := x509.ParseCertificateRequest(request)
		if err != nil {
			return nil, err
		}
		chain, err := authority.SignIdentity(ctx, &ca.SignRequest{
			PublicKey:   csr.PublicKey.(crypto.PublicKey),
			TrustDomain: controlTrustDomain,
			Namespace:   controlNamespace,
			AppID:       "dapr-sentry",
		})
		return &spiffe.SVIDResponse{X509Certificates: chain}, err
	}
}

// grant is a validator that believes whoever asks, and puts all in one trust domain.
type grant string

func (g grant) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (g grant) Validate(
	context.Context,
	*sentrypb.SignCertificateRequest,
) (validator.ValidateResult, error) {
	domain, err := spiffeid.TrustDomainFromString(string(g))
	return validator.ValidateResult{TrustDomain: domain}, err
}
