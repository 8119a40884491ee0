// Training runs while they go on.
export function follow() {}
export function unfollow() {}
