package stripe

import (
	"net/http"
	"regexp"
)

// outcome is what a refusal says about the money.
type outcome int

const (
	// undecided: nothing was decided about the money, and asking again may help. The caller asks again
	// with the same key, and gives up at last (see payments.Config.GiveUpAfter).
	undecided outcome = iota
	// final: asking again can never help. A charge is declined and a refund refused, for good.
	final
)

// answer is what one code of the API means.
type answer struct {
	charge outcome // of a charge
	refund outcome // of a refund
	code   string  // what a declined charge is called in this system; empty: as the API calls it
	reason string  // for the customer
}

const (
	cardDeclined  = "The card was declined."
	invalidMethod = "The payment method is not valid."
	invalidAmount = "The payment provider does not take this amount."
)

// answers is the meaning of the API's error codes and decline codes (docs.stripe.com/error-codes
// and docs.stripe.com/declines/codes), as far as it differs from what [apiError.answer] makes of
// the status and the type alone. A decline code counts before an error code. The reasons that
// issuers do not want the customer to learn (a stolen card, suspected fraud) are not among the
// words.
var answers = map[string]answer{
	// The amount, the currency, the account: no later attempt can do better.
	"amount_too_small": {
		final, final, "amount_too_small", "The amount is smaller than the payment provider takes.",
	},
	"amount_too_large": {
		final, final, "amount_too_large", "The amount is larger than the payment provider takes.",
	},
	"currency_not_supported": {
		final, final, "currency_not_supported", "The payment method does not take this currency.",
	},
	"invalid_charge_amount": {final, final, "amount_not_supported", invalidAmount},
	"invalid_charge_amount_no_decimal_compatible": {
		final, final, "amount_not_supported", invalidAmount,
	},
	"account_closed": {
		final, final, "account_closed", "The account behind the payment method is closed.",
	},

	// The payment method.
	"insufficient_funds": {final, final, "insufficient_funds", "The card has insufficient funds."},
	"expired_card":       {final, final, "expired_card", "The card has expired."},
	"authentication_required": {
		final, final, "authentication_required",
		"The card's bank asks for a confirmation that cannot be given here.",
	},
	"resource_missing": {final, final, "invalid_payment_method", invalidMethod},
	"card_not_supported": {
		final, final, "card_not_supported", "The card does not support this purchase.",
	},
	"fraudulent":         {final, final, "card_declined", cardDeclined},
	"lost_card":          {final, final, "card_declined", cardDeclined},
	"merchant_blacklist": {final, final, "card_declined", cardDeclined},
	"pickup_card":        {final, final, "card_declined", cardDeclined},
	"restricted_card":    {final, final, "card_declined", cardDeclined},
	"security_violation": {final, final, "card_declined", cardDeclined},
	"stolen_card":        {final, final, "card_declined", cardDeclined},

	// Refunds: the money cannot be given back this way, or only when the merchant's balance allows it.
	"charge_already_refunded": {final, final, "", cardDeclined},
	"charge_disputed":         {final, final, "", cardDeclined},
	"balance_insufficient":    {final, undecided, "card_declined", cardDeclined},
	"insufficient_balance":    {final, undecided, "card_declined", cardDeclined},

	// The API is busy, or the merchant's own settings are wrong: the customer's money is not what is
	// refused.
	"lock_timeout":             {undecided, undecided, "", ""},
	"rate_limit":               {undecided, undecided, "", ""},
	"idempotency_key_in_use":   {undecided, undecided, "", ""},
	"api_key_expired":          {undecided, undecided, "", ""},
	"platform_api_key_expired": {undecided, undecided, "", ""},
	"secret_key_required":      {undecided, undecided, "", ""},
	"tls_version_unsupported":  {undecided, undecided, "", ""},
	"testmode_charges_only":    {undecided, undecided, "", ""},
	"livemode_mismatch":        {undecided, undecided, "", ""},
	"url_invalid":              {undecided, undecided, "", ""},
}

var codePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// answer says what a refusal means. What the table does not know is decided by its status and type:
// a card error and a request that is invalid stay so, since a repetition sends the same bytes; a
// wrong key of the merchant's (401, 403), a conflict of keys and whatever is new decide nothing.
func (e *apiError) answer() answer {
	for _, code := range []string{e.DeclineCode, e.Code} {
		if a, ok := answers[code]; ok {
			if a.code == "" {
				a.code = e.known("card_declined")
			}
			return a
		}
	}
	switch {
	case e.Type == "card_error", e.Status == http.StatusPaymentRequired:
		return answer{final, final, e.known("card_declined"), cardDeclined}
	case e.Type != "invalid_request_error":
		return answer{}
	case e.Status != http.StatusBadRequest && e.Status != http.StatusNotFound && e.Status != 0:
		return answer{}
	case e.Param == "currency":
		return answers["currency_not_supported"]
	case e.Param == "amount":
		return answers["invalid_charge_amount"]
	default:
		return answer{final, final, "invalid_payment_method", invalidMethod}
	}
}

// known is the refusal's code if it has the form of one, else the other.
func (e *apiError) known(other string) string {
	if codePattern.MatchString(e.Code) {
		return e.Code
	}
	return other
}
