-- name: CreateAccount :one
INSERT INTO accounts (owner, balance, active, opened_at, note) VALUES (?, ?, ?, ?, ?) RETURNING *;

-- name: GetAccount :one
SELECT * FROM accounts WHERE owner = ?;

-- name: ListAccounts :many
SELECT * FROM accounts ORDER BY owner LIMIT ?;

-- name: ListBalances :many
SELECT owner, balance FROM accounts WHERE owner IN (sqlc.slice('owners')) ORDER BY owner;

-- name: AddToBalance :execrows
UPDATE accounts SET balance = balance + sqlc.arg(amount) WHERE id = sqlc.arg(id) AND active;

-- name: CreateTransfer :execlastid
INSERT INTO transfers (source, target, amount, fee) VALUES (?, ?, ?, ?);

-- name: CountTransfers :one
SELECT count(*) FROM transfers;

-- name: CloseAccount :exec
UPDATE accounts SET active = ?, note = ? WHERE owner = ?;
