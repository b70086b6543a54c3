// Package inbox catches the mail and SMS messages that a developer's system
// sends, and shows them: nothing it accepts ever leaves the machine.
//
//	      SMTP :1025 ─┐                      ┌─ GET /               the page
//	                  ├─▶ mailbox in memory ─┼─ GET /api/v1/…       Mailpit's REST API
//	POST /sms, Twilio ┘   (bounded)          └─ GET /api/v1/sms     SMS messages
//
// # Mail
//
// The SMTP server accepts any sender, recipient and credentials. What it caught
// is read through the part of Mailpit's API v1 that tests use, with Mailpit's
// field names, so that a suite runs unchanged against the real Mailpit:
//
//	GET    /api/v1/messages?start=0&limit=50
//	GET    /api/v1/search?query=to:ada@example.org subject:"Order placed"
//	GET    /api/v1/message/{ID}            ID may be "latest"
//	GET    /api/v1/message/{ID}/headers
//	GET    /api/v1/message/{ID}/raw
//	GET    /api/v1/message/{ID}/part/{PartID}
//	PUT    /api/v1/messages                {"IDs":[…],"Read":true}
//	DELETE /api/v1/messages                all, or {"IDs":[…]}
//	GET    /api/v1/info, /livez, /readyz
//	GET    /view/{ID}.html, /view/{ID}.txt
//
// Messages are numbered in order of arrival: lists are newest first. Envelope recipients that no
// header names are shown as Bcc, as Mailpit does. The trace that an HTML mail names in <meta
// name="traceparent"> is shown as the header Traceparent.
//
// # SMS
//
// SMS messages stand in the same mailbox and on the same page, but not in the
// answers of Mailpit's endpoints, which real Mailpit could not give.
//
//	POST   /sms                            {"to":"+49…","from":"…","message":"…","reference":"…"}
//	POST   /2010-04-01/Accounts/{sid}/Messages.json   form To, From, Body
//	GET    /api/v1/sms?to=+49…             {"total","messages_count","start","messages":[…]}
//	DELETE /api/v1/sms                     SMS messages only
//
// The text may be called message, body or text; reference is optional and may
// come as the header Idempotency-Key instead. Numbers are compared by their
// digits, so a "+" that a query string turned into a space does no harm.
//
// # Faults
//
//	PUT /api/faults {"smtp":"temporary","sms":"drop","delay_ms":50,"match":"ada@","times":2}
//
// makes both servers misbehave on purpose; see package faults.
//
// # Safety
//
// The servers listen on loopback unless told otherwise. HTTP requests whose Host
// is neither an IP address, localhost nor an allowed name are refused, which
// stops DNS rebinding; state-changing requests from other web origins are refused.
// Mail is shown in a sandbox that runs no script and loads nothing from elsewhere.
package inbox
