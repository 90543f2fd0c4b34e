-- A limit that is raised when it has been reached is none. A day keeps the lowest that a bet was placed under.
ALTER TABLE game_losses ADD COLUMN loss_limit BIGINT; -- coins; NULL: none
