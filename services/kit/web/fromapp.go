package web

import "net/http"

// FromApp reports whether a success is the called service's own, which all of them mark with a
// request id. daprd 1.18 may report a call whose connection broke off as 200 with nothing in it,
// when another call to the same app begins in the same moment: its HTTP pipeline
// (pkg/middleware/http) is shared by all calls.
func FromApp(resp *http.Response) bool { return resp.Header.Get(RequestIDHeader) != "" }
