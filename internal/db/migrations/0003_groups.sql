-- directory: how many members a group has, and the orders in which groups are listed
ALTER TABLE user_groups ADD COLUMN members BIGINT NOT NULL DEFAULT 0;
UPDATE user_groups SET members = (SELECT count(*) FROM user_group_members m WHERE m.group_id = user_groups.id);
CREATE INDEX user_groups_friendly ON user_groups (friendly_key, id);
CREATE INDEX user_groups_size ON user_groups (members, id);
CREATE INDEX user_groups_created ON user_groups (created_at, id);
