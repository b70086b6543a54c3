package harness

import "time"

// Money is an amount as the API writes it.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// User is a user as the API writes it.
type User struct {
	ID            string                     `json:"id"`
	Email         string                     `json:"email"`
	Name          string                     `json:"name"`
	Phone         string                     `json:"phone"`
	PhoneVerified bool                       `json:"phone_verified"`
	Role          string                     `json:"role"`
	EmailVerified bool                       `json:"email_verified"`
	Locale        string                     `json:"locale"`
	Preferences   map[string]map[string]bool `json:"preferences"`
}

// Session is a login.
type Session struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int    `json:"expires_in"`
	DeviceToken  string `json:"device_token"` // of a login only
}

// Product is a product as the API writes it.
type Product struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Price Money  `json:"price"`
}

// Item is one line of an order.
type Item struct {
	ProductID string `json:"product_id"`
	Name      string `json:"name,omitempty"`
	Quantity  int    `json:"quantity"`
	UnitPrice *Money `json:"unit_price,omitempty"`
}

// Order is an order as the API writes it.
type Order struct {
	ID      string `json:"id"`
	UserID  string `json:"user_id"`
	Status  string `json:"status"`
	Items   []Item `json:"items"`
	Total   Money  `json:"total"`
	Version int64  `json:"version"`
	History []struct {
		Status string    `json:"status"`
		At     time.Time `json:"at"`
		Reason string    `json:"reason"`
	} `json:"history"`
}

// Payment is a payment as the API writes it.
type Payment struct {
	ID             string `json:"id"`
	OrderID        string `json:"order_id"`
	Status         string `json:"status"`
	Amount         Money  `json:"amount"`
	RefundedAmount Money  `json:"refunded_amount"`
}

// Notification is a message as the API writes it.
type Notification struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	EventType string `json:"event_type"`
	Channel   string `json:"channel"`
	Status    string `json:"status"`
	Subject   string `json:"subject"`
	OrderID   string `json:"order_id"`
	Reason    string `json:"reason"`
}

// List is a page of a list.
type List[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next_cursor"`
}
