package postroom

import "context"

// bearer is a token as the credentials of every call.
type bearer string

// GetRequestMetadata returns the header that carries the token.
func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

// RequireTransportSecurity is false, because [Dial] decides by the address whether a connection may be plain.
func (token bearer) RequireTransportSecurity() bool {
	return false
}
