-- fail: a call is in the warehouse twice
-- of all calls: they are compared with each other
select call_id, count(*) as copies
from core.calls
group by call_id
having count(*) > 1
