// Package smtp is an output binding that sends mail, for a daprd of our own.
//
// It takes the metadata of Dapr's bindings.smtp (components-contrib v1.18), so a
// component changes over by its type alone: bindings.sidecart.smtp.
//
// # Corrected
//
// Faults of the official component that this one does not have:
//
//  1. It merges a request's metadata into the component's own settings, so a
//     recipient, CC, BCC, subject or priority stays for later mails that do not
//     set it. Here a mail is made of the component's metadata and its own request
//     and of nothing else.
//  2. The same merge is an unsynchronised write: two mails at once can swap
//     recipients. Here nothing that a request changes is shared.
//  3. An empty value cannot clear a default. Here a key that the request has
//     replaces the component's value even when it is empty: an empty emailCC is
//     no CC, and an empty emailTo is an error instead of the previous recipient.
//  4. No deadline: a server that stops answering holds the call, and with it the
//     caller's worker, for ever. Here connecting and sending are bounded, and the
//     caller's context is obeyed.
//  5. STARTTLS is used if the server happens to offer it, so an attacker who
//     removes the offer gets mail and password in clear text. Here requireTLS
//     refuses to go on; and a password is sent in the clear to loopback only.
//  6. One TCP, TLS and login exchange for each mail. Here connections are kept
//     and used again, at most maxConnections at a time.
//  7. Every error looks alike. Here its text says "permanent failure", which no
//     repetition will mend, or "transient failure", which one may.
//  8. The text of an error repeats the recipient's address, as the server's reply
//     does. Here it is removed.
//  9. A body that came as JSON is unquoted by Go's rules, so "\/" or an escaped
//     surrogate pair leaves the JSON itself, quotes included, in the mail. Here it is
//     decoded as JSON.
//  10. Everything is text/html, without a text alternative and without a
//     Message-ID. Here contentType, text and messageId say what they should be.
//
// Addresses are parsed and written out again, and control characters in them and
// in the subject are refused, so no request can add a header or a recipient that
// its metadata does not name.
//
// # Metadata
//
// Of the component, besides the official host, port (587 if absent), user,
// password, skipTLSVerify, emailFrom, emailTo, emailCC, emailBCC, subject and
// priority:
//
//	requireTLS      never send without TLS (false)
//	implicitTLS     TLS from the first byte, as always on port 465 (false)
//	connectTimeout  for connecting, TLS and login together (10s)
//	timeout         for one mail, waiting for a connection included (30s)
//	maxConnections  connections at a time (4)
//	idleTimeout     how long an unused connection is kept (15s)
//
// Of a request: emailFrom, emailTo, emailCC, emailBCC (addresses separated by
// semicolons), subject, priority (1 to 5), and
//
//	contentType     text/html (the default) or text/plain
//	text            the plain text beside an HTML body: multipart/alternative
//	messageId       any key; the same key makes the same Message-ID, so that a mail
//	                which is sent again can be recognised
//
// The sidecar adds the traceparent of the call, which becomes a header of that name, so that a mail
// leads to the trace that it was sent in.
//
// The answer's metadata has the Message-ID as messageId.
//
// # Delivery
//
// A mail is accepted for all of its recipients or for none. A connection that the
// server closed while it was idle is replaced and the mail sent on a new one;
// nothing else is repeated. When the connection breaks after the body was sent,
// the failure is transient and the mail may have been delivered: a caller that
// tries again should pass the same messageId.
package smtp
