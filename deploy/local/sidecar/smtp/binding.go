package smtp

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/dapr/components-contrib/bindings"
	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/kit/logger"
)

// Binding sends one mail for each invocation. After Init it is safe for
// concurrent use; invocations share connections and nothing else.
type Binding struct {
	log      logger.Logger
	metadata Metadata
	pool     *pool
}

var _ bindings.OutputBinding = (*Binding)(nil)

// New returns a binding to be registered as "sidecart.smtp".
func New(log logger.Logger) bindings.OutputBinding { return &Binding{log: log} }

// Init reads the component's metadata. It does not connect: a mail server that
// is down when the sidecar starts is no reason not to start.
func (b *Binding) Init(_ context.Context, meta bindings.Metadata) error {
	m, err := parseMetadata(meta.Properties)
	if err != nil {
		return err
	}
	if m.SkipTLSVerify {
		b.log.Warn("smtp binding: skipTLSVerify is set: the server's identity is not checked")
	}
	b.metadata, b.pool = m, newPool(m)
	return nil
}

// Operations returns create.
func (b *Binding) Operations() []bindings.OperationKind {
	return []bindings.OperationKind{bindings.CreateOperation}
}

// Invoke sends the request's data as a mail and returns once the server has
// accepted it for all recipients. Failures are of type [*Error].
func (b *Binding) Invoke(
	ctx context.Context, req *bindings.InvokeRequest,
) (*bindings.InvokeResponse, error) {
	if b.pool == nil {
		return nil, fmt.Errorf("smtp binding: Invoke before Init")
	}
	ctx, cancel := context.WithTimeout(ctx, b.metadata.Timeout)
	defer cancel()
	mail, err := compose(b.metadata.merge(req.Metadata), req.Data, time.Now())
	if err != nil {
		return nil, err
	}
	if err := b.pool.send(ctx, mail); err != nil {
		return nil, err
	}
	return &bindings.InvokeResponse{Metadata: map[string]string{"messageId": mail.id}}, nil
}

// Close closes idle connections; mails being sent are finished first.
func (b *Binding) Close() error {
	if b.pool != nil {
		b.pool.close()
	}
	return nil
}

// GetComponentMetadata describes the metadata for Dapr's tools.
func (b *Binding) GetComponentMetadata() (info metadata.MetadataMap) {
	settings := reflect.TypeFor[Metadata]()
	_ = metadata.GetMetadataInfoFromStructType(settings, &info, metadata.BindingType)
	return info
}
